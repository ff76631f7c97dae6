// Command quickstart serves HTTP on one stack and fetches it from another.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
)

func main() {
	const port = "sim:wire,loss=1%" // two ends in memory; "tap:iip0" or "dpdk:0000:3b:00.0" for the world
	server, err := iipnet.Open(iip.Config{Port: port, Addresses: []string{"10.0.0.1/24"}})
	if err != nil {
		log.Fatal(err)
	}
	client, err := iipnet.Open(iip.Config{Port: port, Addresses: []string{"10.0.0.2/24"}})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := server.Listen("tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "hello over a stack of our own")
		})))
	}()
	browser := http.Client{Transport: &http.Transport{DialContext: client.DialContext}}
	answer, err := browser.Get("http://10.0.0.1/")
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", answer.Status, body)
}
