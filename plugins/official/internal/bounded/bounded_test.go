package bounded

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

func TestMoreThanTheLimitIsAnErrorAndTheNextQuestionHasItsOwn(t *testing.T) {
	var budget Budget
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		for piece := make([]byte, 64*1024); ; {
			if _, err := far.Write(piece); err != nil {
				return
			}
		}
	}()
	dial := budget.Within(func(context.Context, string, string) (net.Conn, error) { return near, nil })
	connection, err := dial(context.Background(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for range 2 {
		count, err := io.Copy(io.Discard, connection)
		if !errors.As(err, &TooMuchError{}) || count < AnswerLimit || count > 2*AnswerLimit {
			t.Fatalf("%d bytes, %v", count, err)
		}
		budget.Renew()
	}
}

func TestAClientStillSeesWhoHasHungUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var budget Budget
	connection, err := budget.Within((&net.Dialer{}).DialContext)(context.Background(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, isSystems := connection.(syscall.Conn); !isSystems {
		t.Fatal("its client cannot ask the system")
	}
}
