package asl

// jsonata checks the expression of a text {%…%}.
func (v *validator) jsonata(n *node, s site) {}
