package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	pb "bimride.example/go-driver/gen/bimride/tracking/v1"
)

// BUFFERED fixes are sent again after this, should nothing be heard of them.
const askAgainAfter = 5 * time.Minute

// take does what a message of the service asks for. An error ends the stream.
func (s *stream) take(message *pb.PublishResponse) error {
	switch m := message.Message.(type) {
	case *pb.PublishResponse_Welcome:
		return s.takeWelcome(m.Welcome)
	case *pb.PublishResponse_Ack:
		return s.takeAck(m.Ack)
	case *pb.PublishResponse_Problem:
		return s.takeProblem(m.Problem)
	case *pb.PublishResponse_Assignment:
		s.takeAssignment(m.Assignment)
	case *pb.PublishResponse_WantedRate:
		s.takeRate(m.WantedRate)
	case *pb.PublishResponse_Move:
		if err := s.buffer.moveTo(m.Move.Region); err != nil {
			return err
		}
		s.sayHello()
	case *pb.PublishResponse_Drain:
		within := time.Duration(m.Drain.ReconnectWithinMs) * time.Millisecond
		s.leaveAt = time.Now().Add(rand.N(within + 1))
	case *pb.PublishResponse_TokenRefreshRequest:
		slog.Info("the token ends soon", "at", time.UnixMilli(m.TokenRefreshRequest.ExpiresAtMs))
		s.refreshToken()
	case *pb.PublishResponse_Superseded:
		return errSuperseded
	}
	return nil // and what a later version of the service may say is none of this one's business
}

// takeWelcome leaves resume_after_seq alone: it is a hint, the verdicts are the truth, and the buffer knows what it lacks.
func (s *stream) takeWelcome(welcome *pb.Welcome) error {
	s.welcomed = true
	if s.batch == nil {
		s.waitsFrom = time.Time{}
	}
	_, _, _, kept := s.buffer.state()
	slog.Info("connected", "epoch", welcome.SessionEpoch, "region", welcome.Region, "kept", kept)
	s.takeAssignment(welcome.Assignment)
	s.takeRate(welcome.WantedRate)
	return s.buffer.moveTo(welcome.Region)
}

// takeAck also takes those without a batch, which tell that BUFFERED fixes are ACCEPTED now.
func (s *stream) takeAck(ack *pb.Ack) error {
	if s.batch != nil && ack.BatchId == s.batch.BatchId {
		s.batch, s.waitsFrom = nil, time.Time{}
	}
	now := time.Now()
	for _, verdict := range ack.Verdicts {
		switch verdict.Code {
		case pb.VerdictCode_VERDICT_CODE_BUFFERED:
			s.again[verdict.Seq] = now.Add(askAgainAfter)
		case pb.VerdictCode_VERDICT_CODE_RATE_LIMITED:
			s.nextSend = now.Add(time.Duration(ack.RetryAfterMs) * time.Millisecond)
		default:
			delete(s.again, verdict.Seq)
		}
	}
	seqs := answeredFor(ack)
	if err := s.buffer.forget(seqs); err != nil {
		return err
	}
	_, _, _, kept := s.buffer.state()
	slog.Info("answered", "fixes", len(seqs), "kept", kept)
	return nil
}

// takeProblem sends a batch again that nothing could take. One that is refused for good is a fault of this program.
func (s *stream) takeProblem(problem *pb.Problem) error {
	slog.Warn("problem", "code", problem.Code, "message", problem.Message, "field", problem.Field)
	if s.batch == nil || problem.BatchId != s.batch.BatchId {
		return nil
	}
	if !problem.Retryable {
		return fmt.Errorf("%w: %s", errRefused, problem.Code)
	}
	s.batch, s.waitsFrom = nil, time.Time{}
	s.nextSend = time.Now().Add(firstRetryWait + rand.N(longestWait/10))
	return nil
}

func (s *stream) takeAssignment(assignment *pb.Assignment) {
	if assignment == nil || assignment.Version < s.plan {
		return
	}
	s.plan = assignment.Version
	slog.Info("assignment", "trip", assignment.Trip.GetTripId(), "status", assignment.Trip.GetStatus())
}

// takeRate: an app would tell the operating system how often to locate. A recording has the pace it has, so here the rate
// says how many fixes travel together.
func (s *stream) takeRate(rate *pb.WantedRate) {
	if rate != nil {
		s.interval = time.Duration(rate.IntervalMs) * time.Millisecond
	}
}

// refreshToken hands in the new token, if there is one, on the stream that stands.
func (s *stream) refreshToken() {
	token, isNew := s.tokens.fresh()
	if !isNew || !s.welcomed {
		return
	}
	slog.Info("new token")
	s.send(&pb.PublishRequest{Message: &pb.PublishRequest_TokenRefresh{TokenRefresh: &pb.TokenRefresh{Token: token}}})
}

// reason says what the end of the stream means.
func (s *stream) reason(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the gateway ended the stream")
	}
	if codes := s.call.Trailer().Get("bimride-code"); len(codes) > 0 && codes[0] == "SUPERSEDED" {
		return errSuperseded
	}
	return err
}

// lost is nil when the stream ended after goodbye: all was answered for then.
func (s *stream) lost(err error) error {
	if s.saidBye {
		return nil
	}
	return err
}
