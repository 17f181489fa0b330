package main

import (
	"fmt"
	"log/slog"
	"strings"

	"inspector/model"
	"inspector/model/onnxgo"
)

// byName orders references.
func byName(a, b model.Ref) int { return strings.Compare(a.String(), b.String()) }

// words say who judges by the recipe in force, and how that was proven.
func (j *judges) words() string {
	var words []string
	for _, p := range j.at("") {
		words = append(words, p.words())
	}
	if words == nil {
		return "nobody judges"
	}
	return strings.Join(words, "; ") + ", recipe " + j.name("")
}

func (p place) words() string {
	proven := "no vectors"
	if n := p.proof.Vectors; n > 0 {
		proven = fmt.Sprintf("vectors: %d within %.1g", n, p.proof.Worst)
	}
	if p.proof.Stills > 0 {
		proven += fmt.Sprintf(", %d golden stills", p.proof.Stills)
	}
	return fmt.Sprintf("%s judges on %s (%s, %.1f ms a board)", p.pkg.ID(), p.label(), proven, float64(p.proof.P95.Microseconds())/1000)
}

// unproven names who judges though its package brings no vectors; empty: none.
func (j *judges) unproven() string {
	for _, p := range j.at("") {
		if p.proof.Vectors == 0 {
			return p.pkg.ID()
		}
	}
	return ""
}

// tell logs what somebody should know about who judges.
func (j *judges) tell(c Config, log *slog.Logger) {
	for ref, err := range j.refusals() {
		log.Error("a model is refused; the one before it judges", "model", ref, "err", err)
	}
	if _, runtime := j.now(""); runtime == onnxgo.Name && c.Model.Runtime == "auto" {
		log.Warn("ONNX Runtime's library was not found, or does not compute the model right: judging on onnx-go, which is several times slower", "remedy", "run make onnxruntime, or set model.library; inspector doctor says more")
	}
}
