module cloudsnooze.local/snooze

go 1.23.0

require (
	github.com/nats-io/nats.go v1.48.0
	github.com/nats-io/nkeys v0.4.11
	github.com/vmihailenco/msgpack/v5 v5.4.1
	golang.org/x/sys v0.32.0
)

require (
	github.com/klauspost/compress v1.18.0 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	golang.org/x/crypto v0.37.0 // indirect
)
