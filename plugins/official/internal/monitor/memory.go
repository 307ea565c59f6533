//go:build !race

package monitor

// As much as a fence allows where nothing else is said. A client makes room for as many elements as a server says that
// follow, so that whoever listens at a port could fill a machine's memory: beyond this the plugin ends instead, and is
// started again.
const memoryLimit = 512 * 1024 * 1024
