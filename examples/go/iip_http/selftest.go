package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"iip.example/examples/internal/app"
)

// selfTest fetches /bytes/10000 from the server in this process, verifies every byte, and prints a table.
func (s *site) selfTest(cfg *app.Config, requests uint) error {
	client, err := app.Peer(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	get := &http.Client{Transport: &http.Transport{DialContext: client.DialContext}}
	url := fmt.Sprintf("http://%s:%d/bytes/10000", app.Server, cfg.Listen)
	began, verified := time.Now(), 0
	for range requests {
		n, err := verify(get, url)
		if err != nil {
			return err
		}
		verified += n
	}
	took := time.Since(began).Seconds()
	fmt.Printf("port          %s\nrequests      %d in %.3f s, %.0f/s\nverified      %d bytes, 0 mismatches, 0 errors\n", cfg.Port,
		requests, took, float64(requests)/took, verified)
	fmt.Printf("dropped       %s\n", app.Drops(s.run.Stack))
	return nil
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
	if resp.StatusCode != 200 || len(body) != 10000 || app.Check(body, 0) != len(body) {
		return 0, fmt.Errorf("%s: %s, %d bytes, of which %d are right", url, resp.Status, len(body), app.Check(body, 0))
	}
	return len(body), nil
}
