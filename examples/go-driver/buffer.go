package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"

	pb "bimride.example/go-driver/gen/bimride/tracking/v1"
)

// Fixes that are kept while nothing answers for them: 48 h at one per second, after which the service refuses them
// anyway. At the bound the oldest is given up.
const maxKept = 172_800

// Lines of the file that no longer count, beyond which it is written anew.
const maxStaleLines = 10_000

// buffer is the offline buffer: the session and every fix that the service has not answered for, in a file that outlives
// the process. Session id, next seq and fixes belong together: a seq that is used twice for two fixes of one session
// loses the second one as DUPLICATE. That is why a fix is on disk before anybody may send it.
type buffer struct {
	mu      sync.Mutex
	path    string
	file    *os.File
	written int // lines in the file
	session string
	region  string
	next    uint32
	kept    map[uint32]*pb.Fix
}

// One line of the file. Later lines win.
type line struct {
	Session string          `json:"session,omitempty"`
	Next    uint32          `json:"next,omitempty"`
	Region  string          `json:"region,omitempty"`
	Fix     json.RawMessage `json:"fix,omitempty"`
	Done    []uint32        `json:"done,omitempty"`
}

// openBuffer reads what an earlier run left, or begins a new session.
func openBuffer(path string) (*buffer, error) {
	b := &buffer{path: path, session: rand.Text(), kept: map[uint32]*pb.Fix{}}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			break // torn by a power cut: its fix was never sent, see add
		}
		if err := b.replay(l); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return b, b.compact()
}

func (b *buffer) replay(l line) error {
	if l.Session != "" {
		b.session, b.next = l.Session, l.Next
	}
	if l.Region != "" {
		b.region = l.Region
	}
	if l.Fix != nil {
		fix := &pb.Fix{}
		if err := protojson.Unmarshal(l.Fix, fix); err != nil {
			return err
		}
		b.kept[fix.Seq] = fix
		b.next = max(b.next, fix.Seq+1)
	}
	for _, seq := range l.Done {
		delete(b.kept, seq)
	}
	return nil
}

// compact writes the file anew with what still counts, in one step, and leaves it open for appending.
func (b *buffer) compact() error {
	folder := filepath.Dir(b.path)
	fresh, err := os.CreateTemp(folder, filepath.Base(b.path))
	if err != nil {
		return err
	}
	if b.file != nil {
		b.file.Close()
	}
	b.file, b.written = fresh, 0
	lines := []line{{Session: b.session, Next: b.next, Region: b.region}}
	for _, fix := range b.kept {
		l, err := fixLine(fix)
		if err != nil {
			return err
		}
		lines = append(lines, l)
	}
	if err := b.append(lines...); err != nil {
		return err
	}
	if err := os.Rename(fresh.Name(), b.path); err != nil {
		return err
	}
	// Until the folder is on disk too, a power cut could bring the old file back, and with it seqs that are used.
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// add numbers a fix and keeps it; it is on disk when add returns.
func (b *buffer) add(fix *pb.Fix) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	fix.Seq = b.next
	l, err := fixLine(fix)
	if err != nil {
		return err
	}
	lines := []line{l}
	if len(b.kept) >= maxKept {
		oldest := b.newest(len(b.kept), nil)[0].Seq
		delete(b.kept, oldest)
		lines = append(lines, line{Done: []uint32{oldest}})
	}
	if err := b.append(lines...); err != nil {
		return err
	}
	b.next++
	b.kept[fix.Seq] = fix
	return nil
}

// forget drops fixes that are answered for.
func (b *buffer) forget(seqs []uint32) error {
	if len(seqs) == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, seq := range seqs {
		delete(b.kept, seq)
	}
	if err := b.append(line{Done: seqs}); err != nil {
		return err
	}
	if b.written-len(b.kept) > maxStaleLines {
		return b.compact()
	}
	return nil
}

// moveTo remembers the region that the service named.
func (b *buffer) moveTo(region string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if region == b.region {
		return nil
	}
	b.region = region
	return b.append(line{Region: region})
}

// pick gives the newest fixes that may be sent, at most so many, oldest of them first.
func (b *buffer) pick(most int, may func(seq uint32) bool) []*pb.Fix {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.newest(most, may)
}

func (b *buffer) newest(most int, may func(seq uint32) bool) []*pb.Fix {
	seqs := make([]uint32, 0, len(b.kept))
	for seq := range b.kept {
		if may == nil || may(seq) {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	fixes := make([]*pb.Fix, 0, most)
	for _, seq := range seqs[max(0, len(seqs)-most):] {
		fixes = append(fixes, b.kept[seq])
	}
	return fixes
}

// state gives what a Hello names, and how many fixes are kept.
func (b *buffer) state() (session, region string, next uint32, kept int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.session, b.region, b.next, len(b.kept)
}

func (b *buffer) append(lines ...line) error {
	var out bytes.Buffer
	for _, l := range lines {
		encoded, err := json.Marshal(l)
		if err != nil {
			return err
		}
		out.Write(encoded)
		out.WriteByte('\n')
	}
	b.written += len(lines)
	if _, err := b.file.Write(out.Bytes()); err != nil {
		return err
	}
	return b.file.Sync()
}

func fixLine(fix *pb.Fix) (line, error) {
	encoded, err := protojson.Marshal(fix)
	return line{Fix: encoded}, err
}
