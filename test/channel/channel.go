// Package channel is a kind of channel of the tests' own: it stores each event before it accepts
// it, delivers it as Knative's channels do, and can be told to repeat, hold back, delay and refuse
// events as brokers on a network do. What it has accepted survives a kill of its process.
package channel

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Key names a channel.
type Key struct{ Namespace, Name string }

// Channel is what the dispatcher must know of one.
type Channel struct {
	Key
	Subscribers []Subscriber
	Faults      Faults
}

// Subscriber is one of a channel's, as Knative's Subscriptions enter it into spec.subscribers.
type Subscriber struct {
	UID           string   `json:"uid"`
	Generation    int64    `json:"generation"`
	SubscriberURI string   `json:"subscriberUri"`
	ReplyURI      string   `json:"replyUri"`
	Delivery      Delivery `json:"delivery"`
}

// Delivery is Knative's DeliverySpec, as far as it is honoured.
type Delivery struct {
	DeadLetterSink struct {
		URI string `json:"uri"`
	} `json:"deadLetterSink"`
	Retry         int    `json:"retry"`
	Timeout       string `json:"timeout"`
	BackoffPolicy string `json:"backoffPolicy"`
	BackoffDelay  string `json:"backoffDelay"`
}

// Faults are what a channel does worse than it could: spec.faults, which a channel template may
// have. Shares are in percent of the events.
type Faults struct {
	// Repeat is the share of events that are delivered once more after they have been delivered.
	Repeat int `json:"repeat"`
	// HoldBack is the share of events that later ones overtake.
	HoldBack int `json:"holdBack"`
	// Delay is how long each event waits before it is delivered, as Go writes durations.
	Delay string `json:"delay"`
	// Refuse is the share of events that are refused with 503 before they are stored.
	Refuse int `json:"refuse"`
	// Hide is the share of events that are stored, but the connection breaks in place of the response.
	Hide int `json:"hide"`
	// ForgetFirst has an event deleted before the subscriber's reply is passed on.
	ForgetFirst bool `json:"forgetFirst"`
	// AcceptFirst has an event accepted before it is stored: what a kill interrupts is lost.
	AcceptFirst bool `json:"acceptFirst"`
	// MaxBytes is the largest event, by its data; 0 means that of the dispatcher.
	MaxBytes int64 `json:"maxBytes"`
}

// rules are the parsed texts of a subscriber and the faults of its channel.
type rules struct {
	Subscriber
	Faults
	timeout, backoff, delay time.Duration
}

// Validate reports every mistake in a channel.
func (c Channel) Validate() error {
	var errs []error
	for _, share := range []int{c.Faults.Repeat, c.Faults.HoldBack, c.Faults.Refuse, c.Faults.Hide} {
		if share < 0 || share > 100 {
			errs = append(errs, fmt.Errorf("faults: %d is not a share in percent", share))
		}
	}
	if len(c.Subscribers) == 0 {
		_, err := c.rules(Subscriber{SubscriberURI: "http://none"})
		errs = append(errs, err)
	}
	for _, s := range c.Subscribers {
		_, err := c.rules(s)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c Channel) rules(s Subscriber) (rules, error) {
	r := rules{Subscriber: s, Faults: c.Faults}
	var errs [4]error
	r.timeout, errs[0] = period(s.Delivery.Timeout)
	r.backoff, errs[1] = period(s.Delivery.BackoffDelay)
	if c.Faults.Delay != "" {
		r.delay, errs[2] = time.ParseDuration(c.Faults.Delay)
	}
	for _, uri := range []string{s.SubscriberURI, s.ReplyURI, s.Delivery.DeadLetterSink.URI} {
		if u, err := url.Parse(uri); uri != "" && (err != nil || u.Host == "") {
			errs[3] = fmt.Errorf("%q is not an address", uri)
		}
	}
	return r, errors.Join(errs[:]...)
}

// wait is how long to wait before the retry of that number, which begins at 0.
func (r rules) wait(retry int) time.Duration {
	const most = time.Minute
	switch {
	case r.backoff == 0:
		return 0
	case r.Delivery.BackoffPolicy == "linear":
		return min(most, r.backoff*time.Duration(retry+1))
	}
	return time.Duration(min(float64(most), float64(r.backoff)*math.Pow(2, float64(retry))))
}

var periods = regexp.MustCompile(`^PT(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6}(?:[.,]\d{1,9})?)S)?$`)

// period parses the ISO 8601 durations that have hours, minutes and seconds; "" is 0.
func period(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	parts := periods.FindStringSubmatch(text)
	if parts == nil || text == "PT" {
		return 0, fmt.Errorf("%q is not a duration of ISO 8601, such as PT0.2S", text)
	}
	var sum time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		part := []byte(parts[i+1])
		if comma := slices.Index(part, ','); comma >= 0 {
			part[comma] = '.'
		}
		if len(part) > 0 {
			n, err := strconv.ParseFloat(string(part), 64)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(n * float64(unit))
		}
	}
	return sum, nil
}
