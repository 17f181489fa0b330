// Package proof has nothing but tests: the real program, as a process, with
// real targets behind a network that breaks.
package proof
