package mail_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/letter"
)
