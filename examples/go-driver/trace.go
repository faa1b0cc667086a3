package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	pb "bimride.example/go-driver/gen/bimride/tracking/v1"
)

// A row of the recorded drive: what the receiver measured, and when, counted from the drive's start.
type row struct {
	at  time.Duration
	fix *pb.Fix
}

// readTrace reads a drive: columns t_ms, lat, lon and, where the receiver gave them, speed_mps, heading_deg, accuracy_m.
func readTrace(path string) ([]row, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(records) < 2 {
		return nil, fmt.Errorf("%s: no positions", path)
	}
	column := map[string]int{}
	for i, name := range records[0] {
		column[name] = i
	}
	rows := make([]row, 0, len(records)-1)
	var startMs float64
	for i, record := range records[1:] {
		cell := func(name string) *float64 {
			at, known := column[name]
			if !known {
				return nil
			}
			value, err := strconv.ParseFloat(record[at], 64)
			if err != nil {
				return nil // empty: the receiver did not say
			}
			return &value
		}
		tMs, lat, lon := cell("t_ms"), cell("lat"), cell("lon")
		if tMs == nil || lat == nil || lon == nil {
			return nil, fmt.Errorf("%s:%d: t_ms, lat or lon is missing", path, i+2)
		}
		if i == 0 {
			startMs = *tMs
		}
		rows = append(rows, row{
			at: time.Duration((*tMs - startMs) * float64(time.Millisecond)),
			fix: &pb.Fix{
				Position:   &pb.LatLng{LatitudeDeg: *lat, LongitudeDeg: *lon},
				AccuracyM:  float(cell("accuracy_m")),
				SpeedMps:   float(cell("speed_mps")),
				HeadingDeg: float(cell("heading_deg")),
				Source:     pb.FixSource_FIX_SOURCE_GNSS,
			},
		})
	}
	return rows, nil
}

func float(value *float64) *float32 {
	if value == nil {
		return nil
	}
	return proto.Float32(float32(*value))
}
