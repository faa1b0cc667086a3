package main

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
)

// capture stands for the receiver: it puts one fix after the other into the buffer, at the pace of the recording, network
// or not. The buffer's next seq is the next row, so a driver that was killed goes on with the row after its last.
func capture(ctx context.Context, rows []row, speed float64, buffer *buffer, captured chan<- struct{}) error {
	_, _, next, _ := buffer.state()
	if int(next) >= len(rows) {
		return nil
	}
	startedAt, first := time.Now(), rows[next].at
	for _, row := range rows[next:] {
		due := startedAt.Add(time.Duration(float64(row.at-first) / speed))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Until(due)):
		}
		fix := proto.CloneOf(row.fix)
		fix.CapturedAtMs = time.Now().UnixMilli()
		if err := buffer.add(fix); err != nil {
			return err
		}
		select {
		case captured <- struct{}{}:
		default: // it has been told already
		}
	}
	return nil
}
