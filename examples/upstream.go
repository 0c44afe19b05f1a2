// An API behind `taskmint guard`: it looks at no credential, only at what the sidecar says. It must be reachable through
// the sidecar alone, so it listens on loopback.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	port := "9000"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			answer(w, r, map[string]any{"closed": string(body)})
			return
		}
		_, ticket, _ := strings.Cut(r.Header.Get("Taskmint-Resource"), "/")
		answer(w, r, map[string]any{"ticket": ticket})
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	panic(http.Serve(listener, api))
}

func answer(w http.ResponseWriter, r *http.Request, content map[string]any) {
	content["path"] = r.URL.RequestURI()
	content["task"] = r.Header.Get("Taskmint-Task")
	content["agent"] = r.Header.Get("Taskmint-Agent")
	if credential := r.Header.Get("Authorization"); credential != "" {
		content["credential"] = credential
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(content)
}
