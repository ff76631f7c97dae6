package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"iip.example/examples/internal/app"
)

// selfTest fetches /bytes/10000 from the server in this process, on some connections, verifies every byte, and prints a
// table.
func (s *site) selfTest(cfg *app.Config, requests uint64) error {
	client := cfg.Open()
	defer client.End()
	at := fmt.Sprintf("%s:%d", app.Server, cfg.Listen)
	began := time.Now()
	verified, err := fetchAll(client, "http://"+at+"/bytes/10000", requests, cfg.Duration)
	took := time.Since(began).Seconds()
	bad := 0
	if err != nil {
		bad = 1
	}
	done := verified / bodyBytes
	ours, _ := app.Sums(s.run.Stack)
	theirs, _ := app.Sums(client.Stack)
	fmt.Printf("port          %s\naddress       %s\nrequests      %d in %.3f s, %.0f/s\n", cfg.Port, at, done, took, float64(done)/took)
	fmt.Printf("verified      %d bytes, 0 mismatches, %d errors\nretransmits   %d\ndropped       %s\n", verified, bad,
		ours["tcp_retrans"]+theirs["tcp_retrans"], app.Drops(s.run.Stack))
	return err
}

const (
	bodyBytes   = 10000
	connections = 4
)

// fetchAll makes so many requests or, if that is given, as many as the time allows; it returns the bytes that were right.
func fetchAll(client *app.Run, url string, requests uint64, limit time.Duration) (int64, error) {
	get := &http.Client{Transport: &http.Transport{DialContext: client.Stack.DialContext, MaxIdleConnsPerHost: connections}}
	defer get.CloseIdleConnections()
	var left, verified atomic.Int64
	left.Store(int64(requests))
	if limit > 0 {
		left.Store(1 << 62)
		time.AfterFunc(limit, func() { left.Store(0) })
	}
	errs := make(chan error, connections)
	for range connections {
		go func() {
			for left.Add(-1) >= 0 {
				n, err := verify(get, url)
				if err != nil {
					errs <- err
					return
				}
				verified.Add(int64(n))
			}
			errs <- nil
		}()
	}
	var all error
	for range connections {
		all = errors.Join(all, <-errs)
	}
	return verified.Load(), all
}

func verify(get *http.Client, url string) (int, error) {
	resp, err := get.Get(url)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != 200 || len(body) != bodyBytes || app.Check(body, 0) != len(body) {
		return 0, fmt.Errorf("%s: %s, %d bytes, of which %d are right", url, resp.Status, len(body), app.Check(body, 0))
	}
	return len(body), nil
}
