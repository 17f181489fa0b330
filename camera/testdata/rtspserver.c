// An RTSP server for the tests: rtspserver PORT PIPELINE [USER PASSWORD].
// It serves PIPELINE to all clients at /cam on 127.0.0.1, chooses a port if
// PORT is 0, and prints the port once it listens.
#include <gst/gst.h>
#include <gst/rtsp-server/rtsp-server.h>

static void protect(GstRTSPServer *server, GstRTSPMediaFactory *factory, const char *user, const char *password) {
	GstRTSPAuth *auth = gst_rtsp_auth_new();
	GstRTSPToken *token = gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "viewer", NULL);
	gchar *basic = gst_rtsp_auth_make_basic(user, password);
	gst_rtsp_auth_add_basic(auth, basic, token);
	gst_rtsp_media_factory_add_role(factory, "viewer", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS, G_TYPE_BOOLEAN, TRUE,
		GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, G_TYPE_BOOLEAN, TRUE, NULL);
	gst_rtsp_server_set_auth(server, auth);
	g_free(basic);
	gst_rtsp_token_unref(token);
	g_object_unref(auth);
}

int main(int argc, char **argv) {
	if (argc != 3 && argc != 5) {
		g_printerr("usage: rtspserver PORT PIPELINE [USER PASSWORD]\n");
		return 2;
	}
	gst_init(NULL, NULL);
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);
	GstRTSPServer *server = gst_rtsp_server_new();
	GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
	gst_rtsp_server_set_address(server, "127.0.0.1");
	gst_rtsp_server_set_service(server, argv[1]);
	gst_rtsp_media_factory_set_launch(factory, argv[2]);
	gst_rtsp_media_factory_set_shared(factory, TRUE);
	if (argc == 5)
		protect(server, factory, argv[3], argv[4]);
	GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points(server);
	gst_rtsp_mount_points_add_factory(mounts, "/cam", factory);
	g_object_unref(mounts);
	if (gst_rtsp_server_attach(server, NULL) == 0) {
		g_printerr("cannot listen on port %s\n", argv[1]);
		return 1;
	}
	g_print("%d\n", gst_rtsp_server_get_bound_port(server));
	g_main_loop_run(loop);
	return 0;
}
