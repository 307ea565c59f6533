package main

// Units, by systemd's own interface over D-Bus (org.freedesktop.systemd1.Manager, as systemd documents it), on a bus or on
// its private socket. It stops units, sends them signals and looks how they are; nothing else.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	manager    = "org.freedesktop.systemd1.Manager"
	unit       = "org.freedesktop.systemd1.Unit"
	properties = "org.freedesktop.DBus.Properties.Get"
	service    = "org.freedesktop.systemd1"
	// Systemd speaks there itself, and there is no bus that one would have to be greeted by.
	private = "/systemd/private"
	// A unit is looked at so often while it stops.
	lookEvery = 50 * time.Millisecond
)

type systemd struct {
	socket     string
	connection *dbus.Conn
}

// do stops a unit or sends it a signal, and waits for its end while the context lasts.
func (systemd *systemd) do(ctx context.Context, step step) result {
	if err := systemd.connect(ctx); err != nil {
		return bad(systemd.explain(ctx, err))
	}
	path, loaded, err := systemd.load(ctx, step.name)
	if err != nil {
		return bad(systemd.explain(ctx, err))
	}
	if loaded == "not-found" {
		return bad("there is no such unit")
	}
	state, err := systemd.property(ctx, path, "ActiveState")
	if err != nil {
		return bad(systemd.explain(ctx, err))
	}
	if isAtRest(state) {
		return good("was not running")
	}
	if step.signal == "" {
		// As `systemctl stop` does: in place of whatever was about to happen to it.
		err = systemd.call(ctx, "StopUnit", step.name, "replace").Err
	} else {
		err = systemd.call(ctx, "KillUnit", step.name, "all", signals[step.signal]).Err
	}
	if err != nil {
		return bad(systemd.explain(ctx, err))
	}
	if !step.waits() {
		return good("was sent " + step.signal)
	}
	return systemd.awaitEnd(ctx, path)
}

func isAtRest(state string) bool { return state == "inactive" || state == "failed" }

func (systemd *systemd) awaitEnd(ctx context.Context, path dbus.ObjectPath) result {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		state, err := systemd.property(ctx, path, "ActiveState")
		switch {
		case ctx.Err() != nil:
			return bad("has not stopped in its time; systemd goes on with it")
		case err != nil:
			return bad(systemd.explain(ctx, err))
		case state == "inactive":
			return good("stopped")
		case state == "failed":
			// Its processes are gone, which is what was asked for.
			return good("stopped, and not in order: systemd calls it failed")
		}
		select {
		case <-look.C:
		case <-ctx.Done():
		}
	}
}

// connect connects once for all steps.
func (systemd *systemd) connect(ctx context.Context) error {
	if systemd.connection != nil && systemd.connection.Connected() {
		return nil
	}
	// Ends with the plugin, and not with the step.
	connection, err := dbus.Dial("unix:path=" + dbus.EscapeBusAddressValue(systemd.socket))
	if err != nil {
		return err
	}
	// Signing in has no limit of its own.
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	err = connection.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))})
	if err == nil && strings.HasSuffix(systemd.socket, private) {
		err = beHeard(ctx, connection)
	} else if err == nil {
		err = connection.Hello()
	}
	if !stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		connection.Close()
		return err
	}
	systemd.connection = connection
	return nil
}

// beHeard returns when systemd's own socket answers. A message that reaches it together with the end of signing in lies
// there until another one comes (seen with systemd 252), so one follows the other, ever later.
func beHeard(ctx context.Context, connection *dbus.Conn) error {
	const most = 64
	answers := make(chan *dbus.Call, most)
	pause := 5 * time.Millisecond
	for range most {
		connection.Object(service, "/org/freedesktop/systemd1").GoWithContext(ctx, "org.freedesktop.DBus.Peer.Ping", 0, answers)
		select {
		case answer := <-answers:
			return answer.Err
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return context.DeadlineExceeded
}

func (systemd *systemd) close() {
	if systemd.connection != nil {
		systemd.connection.Close()
	}
}

func (systemd *systemd) call(ctx context.Context, method string, arguments ...any) *dbus.Call {
	object := systemd.connection.Object(service, "/org/freedesktop/systemd1")
	return object.CallWithContext(ctx, manager+"."+method, 0, arguments...)
}

// load finds a unit, and whether there is one of this name.
func (systemd *systemd) load(ctx context.Context, name string) (dbus.ObjectPath, string, error) {
	var path dbus.ObjectPath
	if err := systemd.call(ctx, "LoadUnit", name).Store(&path); err != nil {
		return "", "", err
	}
	state, err := systemd.property(ctx, path, "LoadState")
	return path, state, err
}

func (systemd *systemd) property(ctx context.Context, path dbus.ObjectPath, name string) (string, error) {
	var value dbus.Variant
	if err := systemd.connection.Object(service, path).CallWithContext(ctx, properties, 0, unit, name).Store(&value); err != nil {
		return "", err
	}
	text, isText := value.Value().(string)
	if !isText {
		return "", fmt.Errorf("%s of a unit is no text", name)
	}
	return text, nil
}

func (systemd *systemd) explain(ctx context.Context, err error) string {
	var refused dbus.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("systemd at %s did not answer in time", systemd.socket)
	case errors.As(err, &refused) && (strings.HasSuffix(refused.Name, ".AccessDenied") || strings.HasSuffix(refused.Name, "AuthorizationRequired")):
		return fmt.Sprintf("systemd does not let it: %s; a rule of polkit has to allow its user manage-units", refused)
	case errors.As(err, &refused):
		return fmt.Sprintf("systemd refuses: %s", refused)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("the socket %s may not be opened: %s; grant the plugin `unix` with this path", systemd.socket, err)
	}
	return fmt.Sprintf("systemd cannot be asked at %s: %s; does it run, and is systemd_socket right?", systemd.socket, err)
}
