// A go-libp2p node driven over lines of JSON, as the peers of tests/interop/peers: {id, do, ...} in, {id, ok | error}
// and {event, ...} out. It is a circuit relay too.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multiaddr"
)

const echoProtocol = protocol.ID("/echo/1.0.0")

type command struct {
	ID       int    `json:"id"`
	Do       string `json:"do"`
	Address  string `json:"address"`
	Peer     string `json:"peer"`
	Protocol string `json:"protocol"`
	Size     int    `json:"size"`
}

var (
	output sync.Mutex
	node   host.Host
)

func say(value any) {
	output.Lock()
	defer output.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		os.Exit(1)
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// connect reaches the peer of a full address, limited connections included.
func connect(ctx context.Context, address string) (peer.ID, error) {
	parsed, err := multiaddr.NewMultiaddr(address)
	if err != nil {
		return "", err
	}
	info, err := peer.AddrInfoFromP2pAddr(parsed)
	if err != nil {
		return "", err
	}
	return info.ID, node.Connect(network.WithAllowLimitedConn(ctx, "test"), *info)
}

func echo(ctx context.Context, address string, size int) (any, error) {
	id, err := connect(ctx, address)
	if err != nil {
		return nil, err
	}
	stream, err := node.NewStream(network.WithAllowLimitedConn(ctx, "test"), id, echoProtocol)
	if err != nil {
		return nil, err
	}
	sent := make([]byte, size)
	for index := range sent {
		sent[index] = byte(index * 31)
	}
	written := make(chan error, 1)
	go func() {
		_, err := stream.Write(sent)
		if err == nil {
			err = stream.CloseWrite()
		}
		written <- err
	}()
	received, err := io.ReadAll(stream)
	if err != nil {
		return nil, err
	}
	for index, value := range received {
		if value != sent[index] {
			return nil, fmt.Errorf("byte %d differs", index)
		}
	}
	return len(received), <-written
}

func act(ctx context.Context, given command) (any, error) {
	switch given.Do {
	case "dial":
		id, err := connect(ctx, given.Address)
		return id.String(), err
	case "echo":
		return echo(ctx, given.Address, given.Size)
	case "ping":
		id, err := connect(ctx, given.Address)
		if err != nil {
			return nil, err
		}
		result := <-ping.Ping(network.WithAllowLimitedConn(ctx, "test"), node, id)
		return result.RTT.Milliseconds(), result.Error
	case "propose":
		id, err := connect(ctx, given.Address)
		if err != nil {
			return nil, err
		}
		_, err = node.NewStream(ctx, id, protocol.ID(given.Protocol))
		return nil, err
	case "reserve":
		parsed, err := multiaddr.NewMultiaddr(given.Address)
		if err != nil {
			return nil, err
		}
		info, err := peer.AddrInfoFromP2pAddr(parsed)
		if err != nil {
			return nil, err
		}
		reservation, err := client.Reserve(ctx, node, *info)
		if err != nil {
			return nil, err
		}
		return int(time.Until(reservation.Expiration).Seconds()), nil
	case "identified":
		id, err := peer.Decode(given.Peer)
		if err != nil {
			return nil, err
		}
		agent, _ := node.Peerstore().Get(id, "AgentVersion")
		protocols, err := node.Peerstore().GetProtocols(id)
		return map[string]any{"agent": agent, "protocols": protocols}, err
	case "hang_up":
		id, err := peer.Decode(given.Peer)
		if err != nil {
			return nil, err
		}
		return nil, node.Network().ClosePeer(id)
	}
	return nil, fmt.Errorf("unknown command %q", given.Do)
}

func answer(given command) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	value, err := act(ctx, given)
	if err != nil {
		say(map[string]any{"id": given.ID, "error": err.Error()})
		return
	}
	say(map[string]any{"id": given.ID, "ok": value})
}

func main() {
	var err error
	limits := relay.DefaultResources()
	limits.MaxCircuits, limits.MaxReservationsPerIP, limits.MaxReservationsPerPeer = 64, 64, 4
	node, err = libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/udp/0/webrtc-direct"),
		libp2p.UserAgent("go-libp2p/test"),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.ForceReachabilityPublic(),
		libp2p.EnableRelayService(relay.WithResources(limits), relay.WithInfiniteLimits()),
		libp2p.DisableMetrics(),
	)
	fail(err)
	node.SetStreamHandler(echoProtocol, func(stream network.Stream) {
		if _, err := io.Copy(stream, stream); err != nil {
			stream.Reset()
			return
		}
		stream.Close()
	})
	listening, err := node.Network().InterfaceListenAddresses()
	fail(err)
	addresses := []string{}
	for _, address := range listening {
		addresses = append(addresses, fmt.Sprintf("%s/p2p/%s", address, node.ID()))
	}
	say(map[string]any{"event": "ready", "peer": node.ID().String(), "addresses": addresses})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var given command
		if err := json.Unmarshal(lines.Bytes(), &given); err != nil {
			fail(err)
		}
		go answer(given)
	}
	fail(node.Close())
}
