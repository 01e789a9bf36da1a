"""Every cap of the network half, each with its reason. Sizes in bytes, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    # --- negotiation and handshake
    negotiate_line: int = 1024
    """One multistream-select line. go and js use the same cap."""
    negotiate_timeout: float = 10.0
    """Both directions; js gives up after the same time."""
    negotiate_proposals: int = 32
    """Proposals answered on one stream before it is reset: no honest peer has more ids for one thing."""
    upgrade_timeout: float = 10.0
    """Noise, muxer and all, in both directions. js allows an inbound upgrade the same."""
    pending_upgrades: int = 1024
    """Inbound links in their handshake; each costs a few KiB and at most `upgrade_timeout`."""
    pending_upgrades_per_address: int = 64
    """Of them, from one address: one that says nothing in all its links leaves the others room."""
    dial_timeout: float = 15.0
    """One address, everything included."""
    dial_stagger: float = 0.25
    """Between the starts of two addresses of one peer: RFC 8305's recommendation."""
    close_timeout: float = 1.0
    """How long a close may flush before the medium is dropped; js waits the same."""
    noise_payload: int = 4 * KIB
    """Handshake payload: identity key (RSA-4096 ≈ 0.6 KiB), signature and extensions."""

    # --- yamux
    yamux_streams: int = 256
    """Inbound streams open at once on one connection; more are answered with RST. go and rust allow 256 to 512."""
    yamux_outbound: int = 512
    """Streams of ours open at once on one connection."""
    yamux_unacknowledged: int = 256
    """Of these, not acknowledged yet: go and rust take no more for honest."""
    yamux_window_max: int = 1 * MIB
    """rust refuses data frames above 1 MiB, so a window never grows beyond it."""
    yamux_window_budget: int = 16 * MIB
    """By how much the windows of one connection may grow, all together."""
    yamux_send_window_max: int = 2**32 - 1
    """Credit that we count at most; the field has 32 bits."""
    yamux_frame: int = 65519 - 12
    """Largest body we send: with its header it fills exactly one Noise frame, and turns between streams stay short."""
    yamux_output: int = 256 * KIB
    """Frames handed to the link in one write: several Noise frames, and a ping waits behind no more than this."""
    yamux_frames_per_turn: int = 1024
    """Frames handled before others have their turn: 5 ms."""
    yamux_control_frames: int = 4096
    """Control frames waiting for the link (ping answers, credit, RST). Honest peers leave a few dozen."""
    yamux_stream_queue: int = 256 * KIB
    """Bytes one stream may have queued before its writer waits: a whole initial window."""
    yamux_unread: int = 16 * MIB
    """Received on one connection and not read by the application, over all its streams. Beyond it streams are reset."""
    yamux_linger: float = 30.0
    """After both our directions are closed the peer has as long to finish its own; then RST."""
    yamux_send_buffer: int = 1 * MIB
    """Frames queued for the link before writers wait."""

    # --- memory
    unread_bytes: int = 256 * MIB
    """Received and not read by the application, in all connections of peers of ours."""
    unread_bytes_of_strangers: int = 25 * MIB
    """The same of strangers: a tenth."""
    unread_least: int = 64 * KIB
    """What each connection may hold when these are spent: a conversation goes on."""

    # --- work
    work_rate: float = 5000.0
    """Small frames a second on one connection with a peer of ours. A page that handles as many is busy, and answers;
    honest peers gather what they write in one turn into one frame."""
    work_burst: float = 25_000.0
    """Small frames at once beyond it."""
    work_strangers_part: int = 5
    """Strangers have a fifth of each."""
    waste_rate: float = 100.0
    """Frames that carry nothing (pings, empty ones) a second; honest peers send one in 10 s."""
    waste_burst: float = 5000.0

    # --- streams
    stream_accept_backlog: int = 64
    """Inbound streams of one connection being negotiated at once."""
    stream_buffer: int = 1 * MIB
    """Bytes received on a stream and not yet read."""

    # --- connections
    connections: int = 512
    """Per node. A browser has a few dozen; the relay raises it from its file-descriptor limit."""
    connections_of_strangers: int = 256
    """Of them, those of peers that the application did not ask for: half. The relay, which asks for nobody, gives
    them all."""
    our_peers: int = 4096
    """Peers remembered as asked for by the application."""
    stranger_idle: float = 60.0
    """Seconds without a byte after which a stranger's connection may be closed: whoever wants something says it by
    then, and pings of js and ours come every 15 s."""
    replaced_after: float = 10.0
    """Seconds after which a direct link is proven, and the circuit that it was agreed on over is closed: relays count
    circuits."""
    replaced_idle: float = 5.0
    """Seconds for which nothing moved on such a circuit."""
    connections_per_peer: int = 8
    """Reloads and glare make duplicates for a moment; beyond this the oldest idle one goes."""
    pending_dials: int = 64
    """Dials at once in one node."""

    # --- identify, ping
    identify_message: int = 8 * KIB
    """go and js read messages of up to 8 KiB …"""
    identify_messages: int = 10
    """… and merge up to ten of them."""
    identify_sent: int = 4 * KIB
    """rust reads one message of 4,096 bytes, so ours is trimmed to it, addresses first."""
    identify_addresses: int = 64
    """Addresses kept of one peer's identify or record."""
    identify_protocols: int = 256
    identify_addresses_of_strangers: int = 8
    identify_protocols_of_strangers: int = 64
    """Kept of a stranger's: nobody dials it, and whoever becomes ours tells more with its next identify."""
    identify_timeout: float = 5.0
    identify_delay: float = 0.3
    """Before we ask on a connection that was made for something at once: both sides' questions, signed records
    included, cost two pages 40 ms each that a dial is waiting for."""
    ping_timeout: float = 10.0
    ping_interval: float = 15.0
    probe_timeout: float = 5.0
    """A connection with a newer one beside it, or one from before we slept, has this long to answer."""
    network_probe_timeout: float = 1.5
    """The same when the host says that its network changed: connections bound to an address that is gone are dead, and
    a new one costs less than waiting for them."""
    ping_streams: int = 2
    """Inbound ping streams at once, as the specification allows."""

    # --- address book
    address_book_peers: int = 1024
    address_ttl: float = 3600.0

    # --- relay client and signaling
    hop_message: int = 4 * KIB
    """HopMessage and StopMessage; go's and rust's readers stop there."""
    reservation_timeout: float = 10.0
    relay_connect_timeout: float = 15.0
    relay_retry_first: float = 0.5
    relay_retry_max: float = 10.0
    """First and longest pause between two attempts at a relay: a hundred nodes of one that was restarted are back
    within seconds, and ask it ten times a second meanwhile."""
    signaling_message: int = 32 * KIB
    """An SDP offer of a data-only connection is 0.5 to 1.5 KiB; Firefox's with many candidates stays below 16."""
    signaling_candidates: int = 64
    """Taken of one attempt; those after them are left aside: hosts with many interfaces have as many …"""
    signaling_messages: int = 512
    """… and beyond this it is flooding."""
    signaling_timeout: float = 15.0
    signaling_linger: float = 5.0
    """How long the answering side keeps the signaling stream open after it is connected, for the dialler to end it."""

    # --- WebRTC
    webrtc_message: int = 16 * KIB
    """Bytes of one framed message, header included; rust and older js accept no more."""
    webrtc_receive_frame: int = 256 * KIB + 16
    """What we accept: go may send up to 256 KiB; beyond it the stream is reset."""
    webrtc_channels: int = 256
    """Open data channels per connection; Firefox negotiates 256 at first."""
    early_channels: int = 10
    """Channels kept before the muxer is attached. js keeps as many."""
    channel_high_water: int = 1 * MIB
    """bufferedAmount at which writers wait …"""
    channel_low_water: int = 512 * KIB
    """… until it falls to this: enough to keep the link busy while a page wakes the writer."""
    connection_high_water: int = 8 * MIB
    """Sum over the channels of one connection: Chrome kills a channel above 16 MiB."""
    webrtc_receive_buffer: int = 8 * MIB
    """Bytes received on a data channel and not yet read; then the stream is reset. SCTP's window is emptied by the
    browser, so a slow reader cannot hold back the sender and a burst must fit; above it only credit helps."""
    channel_open_timeout: float = 10.0
    """From createDataChannel to its `open`."""
    drain_poll: float = 0.25
    """A waiting writer looks at bufferedAmount this often: `bufferedamountlow` gets lost now and then."""
    direct_attempt: float = 5.0
    """For webrtc-direct to connect in one version; a server of the other one answers nothing at all."""
    fin_ack_timeout: float = 5.0
    """How long a closing stream waits for FIN_ACK."""
    disconnected_grace: float = 10.0
    """`disconnected` heals by itself when a path comes back within seconds."""
    restart_patience: float = 3.0
    """For a stream on the relayed connection when the direct path is gone; then that is taken for dead too."""
    peer_connections: int = 64
    """Chrome ends at about 500 RTCPeerConnections per page, closed ones included until collected."""
    peer_connections_of_strangers: int = 32
    """Of them, those of peers that the application did not ask for: half."""

    # --- application channel
    channel_message: int = 16 * MIB
    channel_frame: int = 1 * MIB
    """Of a DATA frame that we accept. It is taken as it comes, so nothing of its size is kept."""
    channel_send_queue: int = 8 * MIB
    """Bytes accepted from the application and not acknowledged by the peer's; then `send` waits. Twice the window, so
    that half may wait for the stream while the other half is on its way. One message may exceed it."""
    channel_send_messages: int = 65536
    """Messages accepted and not acknowledged; then `send` waits."""
    channel_receive_queue: int = 4 * MIB
    """Bytes of whole messages waiting for `receive`; then the stream is no longer read. One message may exceed it."""
    channel_unwanted_queue: int = 256 * KIB
    """The same until the application asks for a message of that peer: a stranger's messages may never be wanted."""
    channel_receive_messages: int = 65536
    """Whole messages waiting for `receive`, so that floods of tiny ones are bounded too."""
    channel_unwanted_messages: int = 8192
    """The same until the application asks for a message of that peer."""
    channel_write: int = 256 * KIB
    """Most of one write to a stream: enough to make the last, short WebRTC message of a write rare."""
    channel_control: int = 1 * KIB
    """A control frame: two session ids, three numbers, a short reason."""
    channel_progress: int = 256 * KIB
    """Between two reports on a long message that arrives."""
    channel_ack_delay: float = 0.2
    """How long a small amount of consumed bytes may wait to be acknowledged."""
    channel_alive_interval: float = 1.0
    """While bytes arrive the sender hears of it this often, also when the application takes nothing."""
    channel_quiet: float = 2.0
    """Seconds without a word of the peer, while bytes are not acknowledged, until it is asked for one …"""
    channel_silent: float = 4.0
    """… and until the path counts as lost: a round trip through a relay and a busy page take less."""
    channel_hello_timeout: float = 5.0
    """The opening exchange on a stream that is already negotiated: one round trip."""
    channel_connect_timeout: float = 60.0
    """How long a channel that was never open is sought: what waits to be sent is then refused."""
    channel_idle_timeout: float = 60.0
    """How long a path is sought for a channel in which nothing waits to be sent: a phone that changes networks is
    back sooner. As long as something accepted waits the search goes on."""
    channel_resume_first: float = 0.25
    channel_resume_max: float = 5.0
    """First and longest pause between two attempts to find a path."""
    channel_close_timeout: float = 5.0
    """How long `close` waits until the peer has everything …"""
    channel_drain_timeout: float = 0.5
    """… and the peer, until its application took everything, before it agrees."""
    channel_urgent: int = 16 * KIB
    """Bytes of an urgent message: what one WebRTC message or a fraction of a window carries."""
    channel_urgent_messages: int = 64
    """Urgent messages of one peer that wait for the application; those beyond are refused."""
    channel_urgent_streams: int = 16
    """Inbound at once on one connection."""
    channel_urgent_timeout: float = 10.0
    """For an urgent message to be taken in."""
    channel_channels: int = 256
    """Channels with different peers at once."""
    channel_channels_of_strangers: int = 128
    """Of them, those that their peers asked for: half, so that the application finds room for its own."""

    # --- trades
    trade_message: int = 32 * KIB
    """A request with 20 coins and a proof for each takes 6 KiB, a final transaction of 40 inputs 10."""
    trade_streams: int = 4
    """Inbound at once on one connection: a peer needs one, and a second while it does not know that the first broke."""
    trade_burst: int = 40
    trade_interval: float = 0.1
    """Messages of one peer: so many at once, then ten a second. A whole trade takes four, each maybe said again."""
    trade_write_timeout: float = 10.0
    """For a peer to take one message; then its stream counts as broken."""
    trade_reach_timeout: float = 30.0
    """One attempt to find a way to a peer: two relays tried, and a direct link over one of them."""
    trade_farewell: float = 1.0
    """Of a stop, for the trades' last messages to be handed to their streams: a page that closes has no more."""
    trade_retry_first: float = 0.5
    trade_retry_max: float = 10.0
    """First and longest pause between two attempts: windows of a trade are 10 to 180 s."""
    active_trades: int = 100
    """Trades that go on at once, with all peers, until they are in a block: each watches the chain."""
    trades_per_peer: int = 5
    """Trades that one peer asked us for and did not sign yet: each reserves coins of ours."""
    trade_failures_allowed: int = 3
    """Requests for one order, or with one coin, that came to nothing: afterwards they look like snooping (JoinMarket
    allows as many)."""
    trade_failures_tracked: int = 4096
    """Coins, and pairs of peer and order, whose tries are remembered; the oldest goes first."""
    trade_inbox: int = 32
    """Events waiting for one trade; a peer's messages beyond it break its stream off."""


DEFAULT_LIMITS = Limits()
