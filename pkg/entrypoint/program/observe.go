package program

import (
	"fmt"
	"log/slog"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/entrypoint/measure"
	"krt.dev/kn-krt/pkg/entrypoint/warm"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/store"
)

// saveLimit is how long what is measured may take to be saved at the end. Tests raise it.
var saveLimit = 2 * time.Second

// observe adds to o what saves automatic measurements and letters. The function it returns ends that,
// when there are no more requests.
func (c *Config) observe(o *entrypoint.Options) (end func(), err error) {
	mode, err := measure.ParseMode(c.Measurements)
	if err != nil {
		return nil, fmt.Errorf("measurements: %w", err)
	}
	if c.Store == "" || mode == measure.Off && !c.Letters {
		return func() {}, nil
	}
	client, err := store.New(c.Store, store.Credentials(c.StoreCredentials))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	closing := func() {}
	if mode != measure.Off {
		m := measure.New(mode, client, slog.Default())
		o.Observers = append(o.Observers, m)
		closing = func() { m.Close(saveLimit) }
	}
	if c.Letters {
		o.Mail = mail.New(letter.New(client), slog.Default())
	}
	return func() { o.Mail.Close(saveLimit); closing() }, nil
}

// wake adds to o what wakes nodes ahead of events. The function it returns ends that, when there are no more requests.
func (c *Config) wake(o *entrypoint.Options) (end func(), err error) {
	if len(c.Wake) == 0 {
		return func() {}, nil
	}
	w, err := warm.New(c.Wake, slog.Default())
	if err != nil {
		return nil, fmt.Errorf("wake: %w", err)
	}
	if c.Queue != nil {
		w.Shared()
	}
	o.Waker, o.Observers, o.Collectors = w, append(o.Observers, w), append(o.Collectors, w)
	return w.Close, nil
}
