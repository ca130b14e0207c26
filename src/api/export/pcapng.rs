//! A capture file: the packets that would have carried the bytes.
//!
//! What is on record are streams, not packets. So the file is a reconstruction, and says so in its comments: addresses, ports,
//! times, directions and bytes are as recorded; sequence numbers, checksums and the sizes of segments are made up to fit. The
//! formats are those of the crates `pcap-file` and `etherparse`.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{PacketBuilder, PacketBuilderStep};
use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};

use crate::domain::{CloseReason, Direction, Timestamp};
use crate::store::{ConnectionRecord, MessageRecord};

/// Bytes of a segment at most: with its headers it fits an IP packet.
const SEGMENT: usize = 16 << 10;
/// Hops that a packet may take; it took none.
const HOPS: u8 = 64;
/// The window of each segment.
const WINDOW: u16 = u16::MAX;
/// Times are in nanoseconds: 10 to the power of minus this.
const RESOLUTION: u8 = 9;

/// Writes records down as packets.
pub(super) struct Pcapng {
    /// Writing to memory cannot fail, but the crate's types do not say so.
    file: Option<PcapNgWriter<Vec<u8>>>,
    stream: Stream,
}

/// The connection that is being written.
struct Stream {
    client: SocketAddr,
    server: SocketAddr,
    /// The first sequence numbers of the two.
    first: [u32; 2],
    /// The next ones.
    next: [u32; 2],
}

/// What a segment says.
#[derive(Clone, Copy, Default)]
struct Flags {
    syn: bool,
    ack: bool,
    fin: bool,
    rst: bool,
    psh: bool,
}

const ACK: Flags = Flags { syn: false, ack: true, fin: false, rst: false, psh: false };

impl Pcapng {
    /// Begins the file.
    pub(super) fn begin(out: &mut Vec<u8>) -> Self {
        let comment = "Reconstructed by answerback from what its endpoints recorded: addresses, ports, times, directions and \
                       bytes are as recorded; sequence numbers, checksums and segments are made up to fit.";
        let section = SectionHeaderBlock {
            options: vec![
                SectionHeaderOption::UserApplication(
                    concat!("answerback ", env!("CARGO_PKG_VERSION")).into(),
                ),
                SectionHeaderOption::Comment(comment.into()),
            ],
            ..SectionHeaderBlock::default()
        };
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let stream = Stream { client: nowhere, server: nowhere, first: [0; 2], next: [0; 2] };
        let file = PcapNgWriter::with_section_header(Vec::new(), section).ok();
        let mut pcapng = Self { file, stream };
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName("answerback".into()),
                InterfaceDescriptionOption::IfTsResol(RESOLUTION),
            ],
        };
        pcapng.block(interface);
        pcapng.flush(out);
        pcapng
    }

    /// The handshake.
    pub(super) fn connection(&mut self, record: &ConnectionRecord, out: &mut Vec<u8>) {
        let connection = &record.connection;
        let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let first = [1, 1];
        self.stream =
            Stream { client: plain(connection.peer), server: plain(connection.local), first, next: first };
        let listener = connection
            .listener
            .name
            .as_ref()
            .map_or_else(|| connection.listener.id.to_string(), ToString::to_string);
        let comment = format!("connection {} of the listener {listener}", connection.id);
        let at = connection.opened_at;
        self.segment(Direction::Received, Flags { syn: true, ..Flags::default() }, at, &[], Some(comment));
        self.segment(Direction::Sent, Flags { syn: true, ..ACK }, at, &[], None);
        self.segment(Direction::Received, ACK, at, &[], None);
        self.flush(out);
    }

    /// The segments of a message.
    pub(super) fn message(&mut self, record: &MessageRecord, out: &mut Vec<u8>) {
        let message = &record.message;
        let side = side(message.direction);
        // The handshake took one number. What was evicted or not kept leaves a gap, as lost segments do.
        let at = |offset: u64| self.stream.first[side].wrapping_add(1).wrapping_add(low(offset));
        let (begin, end) = (at(message.offset), at(message.offset + message.size));
        self.stream.next[side] = begin;
        let mut comment = message.is_cut().then(|| {
            format!("{} of {} bytes of this message were kept", message.payload.len(), message.size)
        });
        for part in message.payload.chunks(SEGMENT) {
            self.segment(message.direction, Flags { psh: true, ..ACK }, message.at, part, comment.take());
        }
        self.stream.next[side] = end;
        self.flush(out);
    }

    /// The end, as far as it is known whose it was and how.
    pub(super) fn end(&mut self, record: &ConnectionRecord, out: &mut Vec<u8>) {
        let Some(closing) = record.closing else { return };
        let comment = format!("closed by {}: {}", closing.by.as_str(), closing.reason.as_str());
        let (comment, at) = (Some(comment), closing.at);
        match closing.reason {
            CloseReason::PeerReset => self.reset(Direction::Received, at, comment),
            CloseReason::WriteTimeout
            | CloseReason::ListenerClosed
            | CloseReason::Limit
            | CloseReason::JournalUnavailable => self.reset(Direction::Sent, at, comment),
            // Whether these were told with a FIN or a RST is not on record.
            CloseReason::Fault | CloseReason::Requested | CloseReason::Shutdown | CloseReason::Crash => {}
            CloseReason::PeerClosed => self.finish(Direction::Received, at, comment),
            _ => self.finish(Direction::Sent, at, comment),
        }
        self.flush(out);
    }

    fn reset(&mut self, from: Direction, at: Timestamp, comment: Option<String>) {
        self.segment(from, Flags { rst: true, ..ACK }, at, &[], comment);
    }

    fn finish(&mut self, from: Direction, at: Timestamp, comment: Option<String>) {
        let to = match from {
            Direction::Received => Direction::Sent,
            Direction::Sent => Direction::Received,
        };
        let fin = Flags { fin: true, ..ACK };
        self.segment(from, fin, at, &[], comment);
        self.segment(to, fin, at, &[], None);
        self.segment(from, ACK, at, &[], None);
    }

    fn segment(
        &mut self,
        from: Direction,
        flags: Flags,
        at: Timestamp,
        payload: &[u8],
        comment: Option<String>,
    ) {
        let me = side(from);
        let (sequence, acknowledged) = (self.stream.next[me], self.stream.next[1 - me]);
        let mut packet = Vec::with_capacity(64 + payload.len());
        if let Some(builder) = self.stream.ip(from) {
            let ports = self.stream.ends(from).map(|address| address.port());
            let mut tcp = builder.tcp(ports[0], ports[1], sequence, WINDOW);
            tcp = if flags.syn { tcp.syn() } else { tcp };
            tcp = if flags.fin { tcp.fin() } else { tcp };
            tcp = if flags.rst { tcp.rst() } else { tcp };
            tcp = if flags.psh { tcp.psh() } else { tcp };
            tcp = if flags.ack { tcp.ack(acknowledged) } else { tcp };
            // A segment of this size fits a packet, and memory takes it.
            let _ = tcp.write(&mut packet, payload);
        }
        let taken = low(payload.len() as u64) + u32::from(flags.syn) + u32::from(flags.fin);
        self.stream.next[me] = sequence.wrapping_add(taken);
        let micros = u64::try_from(at.as_micros()).unwrap_or(0);
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_micros(micros),
            original_len: low(packet.len() as u64),
            data: Cow::Owned(packet),
            options: comment
                .map(|comment| EnhancedPacketOption::Comment(comment.into()))
                .into_iter()
                .collect(),
        };
        self.block(block);
    }

    fn block<'b>(&mut self, block: impl PcapNgBlock<'b>) {
        let _ = self.file.as_mut().map(|file| file.write_pcapng_block(block));
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if let Some(file) = &mut self.file {
            out.append(file.get_mut());
        }
    }
}

impl Stream {
    /// Who sends, and who is sent to.
    const fn ends(&self, from: Direction) -> [SocketAddr; 2] {
        match from {
            Direction::Received => [self.client, self.server],
            Direction::Sent => [self.server, self.client],
        }
    }

    /// A packet between the two; none where their addresses are of two families, which cannot be.
    fn ip(&self, from: Direction) -> Option<PacketBuilderStep<etherparse::IpHeaders>> {
        match self.ends(from).map(|address| address.ip()) {
            [IpAddr::V4(from), IpAddr::V4(to)] => Some(PacketBuilder::ipv4(from.octets(), to.octets(), HOPS)),
            [IpAddr::V6(from), IpAddr::V6(to)] => Some(PacketBuilder::ipv6(from.octets(), to.octets(), HOPS)),
            _ => None,
        }
    }
}

const fn side(from: Direction) -> usize {
    match from {
        Direction::Received => 0,
        Direction::Sent => 1,
    }
}

/// The low half: sequence numbers go round.
const fn low(number: u64) -> u32 {
    (number & 0xffff_ffff) as u32
}
