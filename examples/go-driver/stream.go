package main

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"

	pb "bimride.example/go-driver/gen/bimride/tracking/v1"
)

const (
	// Fixes in one message: few enough that the newest are on the map long before a backlog is through.
	maxBatch = 200
	// A Hello or a batch that nothing answers for so long is lost, and the connection with it.
	answerTimeout = 30 * time.Second
	// How often the token file and the clock are looked at.
	lookEvery = time.Second
)

// stream is the life of one connection: Hello, then batches one at a time, the newest fixes first. Its fields belong to
// run and what run calls.
type stream struct {
	*driver
	call      grpc.BidiStreamingClient[pb.PublishRequest, pb.PublishResponse]
	welcomed  bool
	saidBye   bool
	waitsFrom time.Time            // when the message was sent that an answer must come to; zero when none is due
	batch     *pb.FixBatch         // the one that is on its way
	batchID   uint32               // of the last one
	again     map[uint32]time.Time // BUFFERED fixes: not to be sent on this stream before then
	nextSend  time.Time
	interval  time.Duration // as the service wants it
	leaveAt   time.Time     // when to reconnect, once the gateway drains
	plan      uint64        // version of the assignment that is known
}

type heard struct {
	message *pb.PublishResponse
	err     error
}

// run ends with nil when the drive is over and every fix answered for, else with why the stream ended.
func (s *stream) run(ctx context.Context, client pb.IngestServiceClient) (err error) {
	if s.call, err = client.Publish(ctx); err != nil {
		return err
	}
	answers := make(chan heard)
	go s.listen(ctx, answers)
	s.sayHello()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	over := s.over
	for {
		select {
		case answer := <-answers:
			if answer.err != nil {
				return s.lost(s.reason(answer.err))
			}
			if err := s.take(answer.message); err != nil {
				return err
			}
		case <-look.C:
			s.refreshToken()
			if !s.waitsFrom.IsZero() && time.Since(s.waitsFrom) > answerTimeout {
				return s.lost(errors.New("no answer"))
			}
		case <-s.wait():
		case <-s.captured:
		case <-over:
			over = nil // it stays closed; once is enough
		}
		if !s.leaveAt.IsZero() && time.Now().After(s.leaveAt) {
			return errDrained
		}
		s.sendNext()
		if over == nil {
			s.sayBye()
		}
	}
}

// listen passes on what comes until the stream ends.
func (s *stream) listen(ctx context.Context, answers chan<- heard) {
	for {
		message, err := s.call.Recv()
		select {
		case answers <- heard{message, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// wait fires when the next batch, or the leaving, is due; never when that has been or waits for something else.
func (s *stream) wait() <-chan time.Time {
	due := s.nextSend
	if !s.leaveAt.IsZero() {
		due = s.leaveAt
	}
	if left := time.Until(due); left > 0 {
		return time.After(left)
	}
	return nil
}

func (s *stream) sayHello() {
	s.waitsFrom = time.Now()
	s.send(&pb.PublishRequest{Message: &pb.PublishRequest_Hello{Hello: s.hello()}})
}

// sendNext sends a batch if one is due and none is on its way: the newest fixes that were not sent on this stream. A full
// batch means a backlog, and its next part goes as soon as this one is answered.
func (s *stream) sendNext() {
	now := time.Now()
	if !s.welcomed || s.saidBye || s.batch != nil || !s.leaveAt.IsZero() || now.Before(s.nextSend) {
		return
	}
	fixes := s.buffer.pick(maxBatch, func(seq uint32) bool { return !now.Before(s.again[seq]) })
	if len(fixes) == 0 {
		return
	}
	s.batchID++
	s.batch = &pb.FixBatch{
		Fixes: fixes, BatchId: s.batchID, AssignmentVersion: s.plan, DeviceTimeMs: now.UnixMilli(),
	}
	s.waitsFrom = now
	if len(fixes) < maxBatch {
		s.nextSend = now.Add(time.Duration(float64(s.interval) / s.speed))
	}
	s.send(&pb.PublishRequest{Message: &pb.PublishRequest_Fixes{Fixes: s.batch}})
}

// sayBye ends the stream in good order once nothing is left to say.
func (s *stream) sayBye() {
	if _, _, _, kept := s.buffer.state(); kept > 0 || s.saidBye || !s.welcomed {
		return
	}
	s.saidBye = true
	s.waitsFrom = time.Now()
	_ = s.call.CloseSend() // it never fails: what is wrong comes with the next message
}

// send writes a message. What is wrong with the stream is told by Recv, with the status that a failed Send hasn't.
func (s *stream) send(message *pb.PublishRequest) { _ = s.call.Send(message) }
