// A driver app without a screen: plays a recorded drive, keeps every fix in a file until the service has answered for it,
// and sends it over gRPC. It may be cut off or killed at any moment and goes on where it was. docs/NATIVE.md says the
// rules that it follows; they are those of an app for phones.
package main

//go:generate ../../node_modules/.bin/buf generate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Exit code when another device of the driver took over: a supervisor must not start this one again by itself.
const exitSuperseded = 3

func main() {
	address := flag.String("address", "127.0.0.1:50051", "host:port of a gateway")
	tokenPath := flag.String("token-file", "", "file with the driver's token; a new one in it is taken up while driving")
	tracePath := flag.String("trace", "../drive.csv", "recorded drive: t_ms,lat,lon,speed_mps,heading_deg,accuracy_m")
	speed := flag.Float64("speed", 1, "times as fast as recorded")
	statePath := flag.String("state", "driver.state", "file of session and offline buffer")
	caPath := flag.String("tls-ca", "", "PEM file of whom to trust; without it the connection is plain text")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, *address, *tokenPath, *tracePath, *statePath, *caPath, *speed)
	if err == nil {
		return
	}
	slog.Error("ended", "error", err)
	if errors.Is(err, errSuperseded) {
		os.Exit(exitSuperseded)
	}
	os.Exit(1)
}

func run(ctx context.Context, address, tokenPath, tracePath, statePath, caPath string, speed float64) error {
	if speed <= 0 {
		return errors.New("--speed must be above 0")
	}
	rows, err := readTrace(tracePath)
	if err != nil {
		return err
	}
	transport, err := transportCredentials(caPath)
	if err != nil {
		return err
	}
	tokens := &tokenFile{path: tokenPath}
	if _, err := tokens.read(); err != nil {
		return err
	}
	buffer, err := openBuffer(statePath)
	if err != nil {
		return fmt.Errorf("%s: %w", statePath, err)
	}
	d := &driver{
		address: address, transport: transport, tokens: tokens, buffer: buffer, speed: speed,
		captured: make(chan struct{}, 1), over: make(chan struct{}),
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		if err := capture(ctx, rows, speed, buffer, d.captured); err != nil {
			cancel(err)
			return
		}
		close(d.over)
	}()
	return d.drive(ctx)
}

func transportCredentials(caPath string) (credentials.TransportCredentials, error) {
	if caPath == "" {
		return insecure.NewCredentials(), nil
	}
	pem, err := os.ReadFile(caPath)
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate", caPath)
	}
	return credentials.NewTLS(&tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}), nil
}
