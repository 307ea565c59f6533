package main

import (
	"context"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestWhatAFenceForbidsIsSaidWithWhatToGrant(t *testing.T) {
	for _, number := range []syscall.Errno{syscall.EPERM, syscall.EACCES} {
		forbidden := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", number)}
		made := func(kind, text string) database {
			database, err := kinds[kind](target{text: text})
			if err != nil {
				t.Fatal(err)
			}
			return database
		}
		postgres := made("postgresql", "postgresql://x@127.0.0.1:1/x").(*postgresDatabase)
		postgres.config.DialFunc = pgconn.DialFunc(func(context.Context, string, string) (net.Conn, error) { return nil, forbidden })
		for kind, err := range map[string]error{
			"mysql":      made("mysql", "x:y@tcp(127.0.0.1:1)/").(*mysqlDatabase).Explain(forbidden, words),
			"redis":      made("redis", "redis://127.0.0.1:1").(*redisDatabase).explain(context.Background(), forbidden),
			"postgresql": postgres.flush(context.Background(), &work{}),
		} {
			if !strings.Contains(err.Error(), "grant the plugin `tcp` with this port") {
				t.Errorf("%s: %s", kind, err)
			}
		}
	}
}
