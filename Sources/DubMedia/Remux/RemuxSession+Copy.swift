internal import CFFmpeg
internal import DubCore

/// A packet kept for later, as noncopyable values cannot be in an array.
final class Held {
    let packet: Packet
    init(_ packet: consuming Packet) { self.packet = packet }
}

/// The dubs of one output, as noncopyable values cannot be in an array.
struct DubFeeds: ~Copyable {
    private final class Box {
        var feed: DubFeed
        init(_ feed: consuming DubFeed) { self.feed = feed }
    }
    private var boxes: [Box] = []

    mutating func add(_ feed: consuming DubFeed) { boxes.append(Box(feed)) }
    /// Writes what runs beside stream `guide` of the source, up to `clock`.
    mutating func advance(beside guide: Int, to clock: Int64) throws {
        for box in boxes where box.feed.guide == guide { try box.feed.advance(to: clock) }
    }
    /// Ends each where its guide ended, or at `clock` where that is not known.
    mutating func finish(at ends: [Int: Int64], else clock: Int64) throws {
        for box in boxes { try box.feed.finish(at: box.feed.guide.flatMap { ends[$0] } ?? clock) }
    }
}

/// What is written beside the copied packets.
struct Pump: ~Copyable {
    var dubs: DubFeeds
    var texts: [CueFeed]

    init(dubs: consuming DubFeeds, texts: [CueFeed]) {
        self.dubs = dubs
        self.texts = texts
    }
}

/// The copy of a stream in the output is not what the source holds.
struct CopyDiffers: Error {
    var stream: Int
}

extension RemuxSession {
    mutating func copyAll(_ prelude: [Held], _ pump: inout Pump, progress: (Double) -> Void) throws {
        let duration = max(1, Double(source.context.pointee.duration))
        var shown = 0.0
        var seen: Int64 = 0
        func show(_ clock: Int64?) {
            guard let clock else { return }
            seen = max(seen, clock - source.zero)
            let fraction = min(1, max(0, Double(seen) / duration))
            guard fraction - shown >= 0.002 else { return }
            shown = fraction
            progress(fraction)
        }
        for held in prelude { show(try copy(held.packet, &pump)) }
        let packet = try Packet()
        while try source.read(into: packet) {
            try source.cancellation.check()
            show(try copy(packet, &pump))
            packet.clear()
            muxer.startWriteback()
        }
        try pump.dubs.finish(at: ends, else: source.zero + max(0, source.context.pointee.duration))
        for index in pump.texts.indices { try pump.texts[index].advance(to: nil) }
        progress(1)
    }

    /// Copies a packet, then writes what is due beside it.
    ///
    /// - Returns: its time on the source's clock.
    private mutating func copy(_ packet: borrowing Packet, _ pump: inout Pump) throws -> Int64? {
        let raw = packet.raw
        let index = Int(raw.pointee.stream_index)
        guard index < places.count, let place = places[index],
            let target = muxer.context.pointee.streams[place]
        else { return nil }
        tallies[index]?.add(packet)
        let dts = clock(raw.pointee.dts, index) ?? clock(raw.pointee.pts, index)
        if index == guide || levels[index] != nil, let start = clock(raw.pointee.pts, index) ?? dts {
            let end = start + max(0, clock(raw.pointee.duration, index) ?? 0)
            ends[index] = max(ends[index] ?? end, end)
        }
        guard levels[index] == nil else {
            try advance(&pump, beside: index, dts)
            return dts
        }
        let from = source.stream(index).pointee.time_base
        let to = target.pointee.time_base
        av_packet_rescale_ts(raw, from, to)
        let moved = av_rescale_q(shift, microseconds, to)
        if raw.pointee.pts != dub_no_pts() { raw.pointee.pts += moved }
        if raw.pointee.dts != dub_no_pts() { raw.pointee.dts += moved }
        delayOpus(raw, target)
        repair(raw, place)
        written.insert(place)
        raw.pointee.pos = -1
        raw.pointee.stream_index = Int32(place)
        try muxer.sink.write(raw)
        try advance(&pump, beside: index, dts)
        return dts
    }

    private func advance(_ pump: inout Pump, beside index: Int, _ dts: Int64?) throws {
        if let end = ends[index] { try pump.dubs.advance(beside: index, to: end) }
        guard let dts else { return }
        for text in pump.texts.indices { try pump.texts[text].advance(to: dts - source.zero) }
    }

    /// FFmpeg 5.1 writes Matroska's CodecDelay for Opus without adding it to the blocks' times, as the format asks and
    /// its own demuxer expects: every copy would move the sound by 6.5 ms.
    private func delayOpus(_ raw: UnsafeMutablePointer<AVPacket>, _ stream: UnsafeMutablePointer<AVStream>) {
        guard plan.isMatroska, let delay = DubFeed.opusDelay(stream) else { return }
        if raw.pointee.pts != dub_no_pts() { raw.pointee.pts += delay }
        if raw.pointee.dts != dub_no_pts() { raw.pointee.dts += delay }
    }

    /// Muxers refuse decoding times that do not rise: a broken source's are moved by a tick at a time.
    private mutating func repair(_ raw: UnsafeMutablePointer<AVPacket>, _ place: Int) {
        let none = dub_no_pts()
        if raw.pointee.pts == none, raw.pointee.dts != none, plan.isMatroska {
            raw.pointee.pts = raw.pointee.dts
        }
        guard raw.pointee.dts != none else { return }
        var changed = false
        if let last = lastDTS[place], raw.pointee.dts <= last {
            // Subtitles may share an instant.
            let text =
                muxer.context.pointee.streams[place]?.pointee.codecpar.pointee.codec_type
                == AVMEDIA_TYPE_SUBTITLE
            if !text || raw.pointee.dts < last {
                raw.pointee.dts = last + 1
                changed = true
            }
        }
        if raw.pointee.pts != none, raw.pointee.pts < raw.pointee.dts {
            if changed { raw.pointee.pts = raw.pointee.dts } else { raw.pointee.dts = raw.pointee.pts }
            changed = true
        }
        if changed { repaired += 1 }
        lastDTS[place] = raw.pointee.dts
    }

    /// Reads the written file back and compares the copied streams' payloads.
    ///
    /// - Throws: `CopyDiffers` with the first stream that is not the same.
    func prove() throws {
        let written = try Media.packetDigests(
            muxer.temporaryPath, kinds: nil, cancellation: source.cancellation)
        for (index, tally) in tallies.sorted(by: { $0.key < $1.key }) {
            guard let place = places[index], place < written.count, tally.packets > 0 else { continue }
            guard written[place].digest == tally.payload else { throw CopyDiffers(stream: index) }
        }
    }
}
