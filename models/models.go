// Package models carries the shipped model packages, so that one binary is a
// whole appliance. README.md describes their format.
package models

import "embed"

// FS holds NAME/VERSION/model.yaml and what it refers to.
//
//go:embed pcb/*/model.yaml pcb/*/*.onnx pcb/*/vectors
var FS embed.FS
