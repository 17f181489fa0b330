package store

func child(dir string) {}
