package graph

import _ "embed"

// style colours the picture, by day and by night.
//
//go:embed style.css
var style string
