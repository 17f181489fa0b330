package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

//go:embed page/index.html page/app.css page/app.js page/executions.js page/icon.svg openapi.yaml
var files embed.FS

// asset serves one embedded file; browsers ask each time whether it changed.
func (s *Server) asset(name string) gin.HandlerFunc {
	b, err := files.ReadFile(name)
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(b))
	return func(c *gin.Context) {
		if err != nil {
			s.fail(c, err)
			return
		}
		c.Header("Content-Type", mediaType(name))
		c.Header("Cache-Control", "no-cache")
		c.Header("ETag", tag)
		http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(b))
	}
}

func mediaType(name string) string {
	switch name {
	case "page/index.html":
		return "text/html; charset=utf-8"
	case "page/app.css":
		return "text/css; charset=utf-8"
	case "page/app.js", "page/executions.js":
		return "text/javascript; charset=utf-8"
	case "page/icon.svg":
		return "image/svg+xml"
	}
	return "application/yaml"
}
