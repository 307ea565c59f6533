package main

// One server: its name, the one connection that is held to it, and what its threads do. No error of it shows a
// password or a part of the dsn that could be one.

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"cloudsnooze.local/official/internal/mysqlserver"
)

type server struct{ *mysqlserver.Server }

// threads are those of a server, without the one that asked.
type threads struct {
	// Clients that run something, and those that hold a connection and run nothing.
	working, sleeping int64
	// Replicas that read from this server, and the threads by which it is a replica itself.
	replication int64
	// The server's own.
	system int64
}

// Whoever lacks PROCESS sees his own threads only, without being told: a busy server would look like an idle one. The
// table INNODB_CMP is small, has nothing to do with the question, and is refused to whoever lacks PROCESS, by whatever
// grants and roles he has it or not. Client threads cannot be of the command Daemon. A client may be called `system
// user`, but it comes from somewhere.
const question = `SELECT CASE
  WHEN ID = CONNECTION_ID() THEN 'own'
  WHEN COMMAND IN ('Binlog Dump', 'Binlog Dump GTID', 'Slave_IO', 'Slave_SQL', 'Slave_worker') THEN 'replication'
  WHEN COMMAND = 'Daemon' THEN 'system'
  WHEN USER = 'system user' AND (HOST IS NULL OR HOST IN ('', 'connecting host')) THEN 'system'
  WHEN COMMAND = 'Sleep' THEN 'sleeping'
  ELSE 'working' END AS kind, COUNT(*), (SELECT COUNT(*) FROM information_schema.INNODB_CMP)
FROM information_schema.PROCESSLIST GROUP BY kind`

// open makes a server of a dsn; it does not connect yet.
func open(dsn string, authorities *x509.CertPool) (*server, error) {
	opened, err := mysqlserver.Open(dsn, authorities)
	if err != nil {
		return nil, err
	}
	return &server{opened}, nil
}

// threads asks what there is.
func (server *server) threads(ctx context.Context) (threads, error) {
	var seen threads
	server.Read.Renew()
	rows, err := server.Pool.QueryContext(ctx, question)
	if err != nil {
		return seen, server.explain(err)
	}
	defer rows.Close()
	own := false
	for rows.Next() {
		var kind string
		var count, unused int64
		if err := rows.Scan(&kind, &count, &unused); err != nil {
			return seen, server.explain(err)
		}
		switch kind {
		case "own":
			own = true
		case "replication":
			seen.replication = count
		case "system":
			seen.system = count
		case "sleeping":
			seen.sleeping = count
		case "working":
			seen.working = count
		}
	}
	if err := rows.Err(); err != nil {
		return seen, server.explain(err)
	}
	if !own {
		return seen, fmt.Errorf("MySQL at %s does not list the connection that asks: what it lists is not whole", server.Name)
	}
	return seen, nil
}

func (server *server) explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("MySQL at %s did not answer within %s: it hangs or is not reached", server.Name, questionLimit)
	}
	return server.Explain(err, mysqlserver.Words{Field: "dsn",
		Grant: "GRANT PROCESS ON *.* to this user: without it other users' connections are not seen"})
}
