// Package bounded keeps what a server sends within a limit for each question. Clients hold a line or a packet whole, however
// long its sender says that it is; whoever listens at a port could fill a machine's memory so. It never cuts an answer
// short: what is too much is an error.
package bounded

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
)

// AnswerLimit is far more than any question of the plugins here is answered with.
const AnswerLimit = 16 * 1024 * 1024

// TooMuchError is what reading more than that ends with.
type TooMuchError struct{}

func (TooMuchError) Error() string {
	return fmt.Sprintf("it sends more than %d MiB for an answer", AnswerLimit/1024/1024)
}

// Budget is what may still be read. All connections of one client share it.
type Budget struct{ used atomic.Int64 }

// Renew begins a question.
func (budget *Budget) Renew() { budget.used.Store(0) }

// Dial is a way to connect.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Within makes connections that read no more than the budget has.
func (budget *Budget) Within(dial Dial) Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		opened, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		bounded := &connection{opened, budget}
		// By its system's own a client sees whether the other side has hung up meanwhile.
		if system, ok := opened.(syscall.Conn); ok {
			return &systemConnection{bounded, system}, nil
		}
		return bounded, nil
	}
}

type connection struct {
	net.Conn
	budget *Budget
}

func (connection *connection) Read(into []byte) (int, error) {
	if connection.budget.used.Load() >= AnswerLimit {
		return 0, TooMuchError{}
	}
	count, err := connection.Conn.Read(into)
	connection.budget.used.Add(int64(count))
	return count, err
}

type systemConnection struct {
	*connection
	system syscall.Conn
}

func (connection *systemConnection) SyscallConn() (syscall.RawConn, error) {
	return connection.system.SyscallConn()
}
