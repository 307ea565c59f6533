module cloudsnooze.local/official

go 1.23.0

require (
	cloudsnooze.local/snooze v0.0.0
	github.com/go-sql-driver/mysql v1.9.3
	github.com/godbus/dbus/v5 v5.2.2
	github.com/jackc/pgx/v5 v5.7.6
	github.com/nats-io/nats.go v1.48.0
	github.com/redis/go-redis/v9 v9.17.2
	golang.org/x/sys v0.32.0
)

require (
	filippo.io/edwards25519 v1.1.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/klauspost/compress v1.18.0 // indirect
	github.com/nats-io/nkeys v0.4.11 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	golang.org/x/crypto v0.37.0 // indirect
	golang.org/x/text v0.24.0 // indirect
)

replace cloudsnooze.local/snooze => ../sdk/go
