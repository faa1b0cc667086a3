package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "bimride.example/go-driver/gen/bimride/tracking/v1"
)

const (
	firstRetryWait = 500 * time.Millisecond
	longestWait    = 30 * time.Second
	// A dead network says nothing: without an answer to a ping for so long the connection counts as lost.
	pingEvery   = 20 * time.Second
	pingTimeout = 10 * time.Second
	callTimeout = 30 * time.Second
)

var (
	errSuperseded = errors.New("another device of this driver took over: ask the driver which one is to go on")
	errRefused    = errors.New("refused for good")
	errDrained    = errors.New("the gateway goes away")
)

type driver struct {
	address   string
	transport credentials.TransportCredentials
	tokens    *tokenFile
	buffer    *buffer
	speed     float64
	captured  chan struct{} // something new is in the buffer
	over      chan struct{} // closed when the drive is over
}

// drive sends until the drive is over and every fix answered for. It reconnects for ever with full jitter: a random wait
// of up to a bound that doubles, so that a city full of phones does not come back in the same second.
func (d *driver) drive(ctx context.Context) error {
	for tries := 0; ; tries++ {
		welcomed, err := d.connect(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errSuperseded) || isFinal(err) {
			return err
		}
		if welcomed {
			tries = 0
		}
		wait := rand.N(min(longestWait, firstRetryWait<<min(tries, 10)))
		if errors.Is(err, errDrained) {
			wait = 0 // it has waited already
		}
		slog.Info("reconnecting", "after", wait.Round(time.Millisecond), "because", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// connect has one stream, on a connection of its own. The token is read anew each time.
func (d *driver) connect(ctx context.Context) (welcomed bool, err error) {
	token, err := d.tokens.read()
	if err != nil {
		return false, err
	}
	connection, err := grpc.NewClient(d.address,
		grpc.WithTransportCredentials(d.transport),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}))
	if err != nil {
		return false, err
	}
	defer connection.Close()
	client := pb.NewIngestServiceClient(connection)
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token))
	defer cancel()
	s := &stream{driver: d, again: map[uint32]time.Time{}}
	err = s.run(ctx, client)
	if errors.Is(err, errSuperseded) {
		d.sendRest(ctx, client)
	}
	return s.welcomed, err
}

// sendRest hands in what is left of a session that another device took over from: it goes to history. What can't be sent
// now stays in the buffer.
func (d *driver) sendRest(ctx context.Context, client pb.IngestServiceClient) {
	asked := map[uint32]bool{}
	for {
		fixes := d.buffer.pick(maxBatch, func(seq uint32) bool { return !asked[seq] })
		if len(fixes) == 0 {
			return
		}
		for _, fix := range fixes {
			asked[fix.Seq] = true
		}
		call, cancel := context.WithTimeout(ctx, callTimeout)
		answer, err := client.PublishBatch(call, &pb.PublishBatchRequest{
			Hello: d.hello(),
			Fixes: &pb.FixBatch{Fixes: fixes, DeviceTimeMs: time.Now().UnixMilli()},
		})
		cancel()
		if err == nil {
			err = d.buffer.forget(answeredFor(answer.Ack))
		}
		if err != nil {
			slog.Warn("the rest stays in the buffer", "because", err)
			return
		}
	}
}

func (d *driver) hello() *pb.Hello {
	session, region, _, _ := d.buffer.state()
	hello := &pb.Hello{
		SessionId: session, DeviceId: "go-driver", AppVersion: "1", LastRegion: region,
		DeviceTimeMs: time.Now().UnixMilli(),
	}
	if newest := d.buffer.pick(1, nil); len(newest) == 1 {
		at := newest[0].Position // to about 1 km, which is enough to choose a region by
		hello.Position = &pb.LatLng{LatitudeDeg: rough(at.LatitudeDeg), LongitudeDeg: rough(at.LongitudeDeg)}
	}
	return hello
}

func rough(deg float64) float64 { return math.Round(deg*100) / 100 }

// isFinal tells refusals that no later try mends. A token that has expired is none: the next one may be in the file by then.
func isFinal(err error) bool {
	if errors.Is(err, errRefused) {
		return true
	}
	switch status.Code(err) {
	case codes.PermissionDenied, codes.InvalidArgument, codes.Unimplemented:
		return true
	}
	return false
}

// answeredFor lists the fixes that need not be kept any longer: durable, or refused for good.
func answeredFor(ack *pb.Ack) []uint32 {
	var seqs []uint32
	for _, verdict := range ack.Verdicts {
		switch verdict.Code {
		case pb.VerdictCode_VERDICT_CODE_INVALID:
			slog.Warn("refused", "seq", verdict.Seq, "reason", verdict.Reason, "field", verdict.Field)
			fallthrough
		case pb.VerdictCode_VERDICT_CODE_ACCEPTED, pb.VerdictCode_VERDICT_CODE_DUPLICATE, pb.VerdictCode_VERDICT_CODE_LATE:
			seqs = append(seqs, verdict.Seq)
		}
	}
	return seqs
}
