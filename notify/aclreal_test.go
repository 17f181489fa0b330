package notify

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// mosquitto_passwd's line for the password "right-password" belongs to user
// line; the others of the example file have the same.
func mosquittoUsers(t *testing.T, names ...string) string {
	t.Helper()
	var text strings.Builder
	for _, n := range names {
		text.WriteString(n + ":" + mosquittoHash)
	}
	return usersFile(t, text.String())
}

func bcryptUsers(t *testing.T, names ...string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("right-password"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, n := range names {
		fmt.Fprintf(&text, "%s:%s\n", n, hash)
	}
	return usersFile(t, text.String())
}

const sharedACL = `topic read public/#
user scada
topic read line/#
topic write line/+/set/#
topic deny line/1/set/secret
user plc
topic line/1/#
pattern readwrite own/%u/%c/#
`

// A mosquitto acl_file does here what it does there: what each user hears of
// what each user says, with the real programs at both brokers.
func TestACLAsMosquitto(t *testing.T) {
	names := []string{"scada", "plc", "eve"}
	file := usersFile(t, sharedACL)
	theirs := startMosquitto(t, "allow_anonymous false", "password_file "+mosquittoUsers(t, names...), "acl_file "+file)
	b := NewBroker(BrokerConfig{Listen: "127.0.0.1:0", Dir: t.TempDir(), UsersFile: bcryptUsers(t, names...), ACLFile: file}, quiet())
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	run(t, b.Run)
	ours := portOf(t, b, keyListen)
	want, got := heard(t, theirs, names), heard(t, ours, names)
	if len(want) < 10 {
		t.Fatalf("mosquitto let pass only %v", want)
	}
	for k := range want {
		if !got[k] {
			t.Errorf("mosquitto lets pass, and we do not: %s", k)
		}
	}
	for k := range got {
		if !want[k] {
			t.Errorf("we let pass, and mosquitto does not: %s", k)
		}
	}
	if d := b.Health().Denied; d.Times < 10 || !strings.Contains(d.Last, `user "`) {
		t.Errorf("denied: %+v; want them counted and the last one named", d)
	}
}

// heard tells which user hears what: topic and speaker.
func heard(t *testing.T, port string, names []string) map[string]bool {
	t.Helper()
	login := func(name, id string, more ...string) []string {
		return append([]string{"-h", "127.0.0.1", "-p", port, "-u", name, "-P", "right-password", "-i", id, "-q", "1"}, more...)
	}
	sub, pub := need(t, "mosquitto_sub"), need(t, "mosquitto_pub")
	for _, name := range names { // everything waits for them
		if words, err := exec.Command(sub, login(name, "c-"+name, "-c", "-t", "#", "-E")...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, words)
		}
	}
	topics := []string{"line/1/result", "line/1/set/trigger", "line/1/set/secret", "line/2/result", "line/2/set/x", "public/x", "own/plc/c-plc/x", "own/scada/x", "else"}
	for _, speaker := range names {
		for _, topic := range topics { // with MQTT 5, as 3.1.1 cannot say that a message is denied
			_ = exec.Command(pub, login(speaker, "p", "-V", "5", "-t", topic, "-m", speaker)...).Run()
		}
	}
	for _, name := range names { // to their own, with the id of which the pattern speaks
		if words, err := exec.Command(pub, login(name, "c-"+name+"/", "-t", "own/"+name+"/c-"+name+"//x", "-m", "end")...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, words)
		}
	}
	out := map[string]bool{}
	for _, name := range names {
		lines, stop := printed(t, exec.Command(sub, login(name, "c-"+name, "-c", "-t", "#", "-F", "%t %p")...))
		for l := range lines {
			out[name+" hears "+l] = true
			if strings.HasSuffix(l, " end") {
				break
			}
		}
		stop()
	}
	return out
}
