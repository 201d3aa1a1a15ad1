// A world clock over HTTP. Small, but it needs what real services need: time zones, CA
// certificates, a user database, and a port to listen on.
//
//	GET /                      {"service": "clock", …}
//	GET /healthz               ok
//	GET /time?zone=Asia/Tokyo  the time there (needs the time zone database)
//	GET /fetch?url=https://…   status of an outgoing call (needs CA certificates)
//	GET /whoami                the user it runs as (needs /etc/passwd)
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"os/user"
	"time"
)

var client = &http.Client{Timeout: 10 * time.Second}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}

func clock(w http.ResponseWriter, r *http.Request) {
	zone, err := time.LoadLocation(r.URL.Query().Get("zone"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, map[string]string{"zone": zone.String(), "time": time.Now().In(zone).Format(time.RFC3339)})
}

func fetch(w http.ResponseWriter, r *http.Request) {
	response, err := client.Get(r.URL.Query().Get("url"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	response.Body.Close()
	answer(w, map[string]any{"status": response.StatusCode, "tls": response.TLS != nil})
}

func whoami(w http.ResponseWriter, _ *http.Request) {
	me, err := user.Current()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]string{"uid": me.Uid, "name": me.Username})
}

func main() {
	address := os.Getenv("ADDRESS")
	if address == "" {
		address = ":8080"
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"service": "clock", "started": started.Format(time.RFC3339)})
	})
	routes.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	routes.HandleFunc("/time", clock)
	routes.HandleFunc("/fetch", fetch)
	routes.HandleFunc("/whoami", whoami)
	log.Printf("listening on %s", address)
	log.Fatal(http.ListenAndServe(address, routes))
}

var started = time.Now()
