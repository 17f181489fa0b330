// Package inference is the Open Inference Protocol, version 2, over gRPC, as
// inference.proto states it.
package inference

//go:generate go run github.com/bufbuild/buf/cmd/buf@v1.75.0 generate --template buf.gen.yaml inference.proto
