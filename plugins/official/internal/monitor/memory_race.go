//go:build race

package monitor

// What looks for races takes a multiple of a program's memory for itself, and is never what anybody runs.
const memoryLimit = 1 << 46
