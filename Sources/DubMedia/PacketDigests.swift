internal import CFFmpeg
internal import Crypto
public import DubCore
internal import Foundation

/// What a stream's packets are: enough to say that two files carry the same picture or sound.
public struct PacketDigest: Hashable, Sendable, Codable {
    /// The stream's index in its file.
    public var stream: Int
    /// What it carries.
    public var kind: StreamKind
    /// FFmpeg's name of the codec.
    public var codec: String
    /// SHA-256 over the packets' payloads in the file's order: what `ffmpeg -c copy -f streamhash` prints.
    public var digest: DubCore.Digest
    /// How many packets.
    public var packets: Int
    /// The earliest presentation time, on the container's clock; before zero where the stream has priming.
    public var firstPTS: MediaTime?
    /// The first decoding time.
    public var firstDTS: MediaTime?
    /// The latest presentation time plus duration.
    public var end: MediaTime?
    /// How often a decoding time was not after the one before.
    public var disorders: Int
    /// Whether the stream is a cover.
    public var isAttachedPicture: Bool
}

extension Media {
    /// Reads a whole file and digests the packets of its streams.
    ///
    /// - Parameter kinds: which streams; `nil` for all. Streams without packets are there, with the digest of nothing.
    /// - Throws: `input.missing`, `media.unreadable`; `CancellationError`.
    public static func packetDigests(
        _ path: String, kinds: Set<StreamKind>? = nil
    ) async throws -> [PacketDigest] {
        try await MediaThread.run { try packetDigests(path, kinds: kinds, cancellation: $0) }
    }

    static func packetDigests(
        _ path: String, kinds: Set<StreamKind>?, cancellation: Cancellation
    ) throws -> [PacketDigest] {
        let demuxer = try Demuxer.open(path, cancellation: cancellation)
        var tallies: [Int: PacketTally] = [:]
        for stream in demuxer.streams {
            guard kinds?.contains(StreamKind(stream.pointee.codecpar.pointee.codec_type)) ?? true else {
                continue
            }
            tallies[Int(stream.pointee.index)] = PacketTally()
        }
        demuxer.keepOnly(Set(tallies.keys))
        let packet = try Packet()
        while try demuxer.read(into: packet) {
            defer { packet.clear() }
            tallies[Int(packet.raw.pointee.stream_index)]?.add(packet)
        }
        return tallies.sorted { $0.key < $1.key }.map { $1.digest(of: demuxer.stream($0)) }
    }
}

/// What has been seen of one stream's packets.
struct PacketTally {
    private var hash = SHA256()
    private(set) var packets = 0
    private var firstPTS: Int64?
    private var firstDTS: Int64?
    private var lastDTS: Int64?
    private var end: Int64?
    private var disorders = 0

    mutating func add(_ packet: borrowing Packet) {
        let raw = packet.raw.pointee
        packets += 1
        if let data = raw.data, raw.size > 0 {
            hash.update(bufferPointer: UnsafeRawBufferPointer(start: data, count: Int(raw.size)))
        }
        if raw.pts != dub_no_pts() {
            firstPTS = min(firstPTS ?? raw.pts, raw.pts)
            let (after, far) = raw.pts.addingReportingOverflow(max(0, raw.duration))
            if !far { end = max(end ?? after, after) }
        }
        if raw.dts != dub_no_pts() {
            if let lastDTS, raw.dts <= lastDTS { disorders += 1 }
            if firstDTS == nil { firstDTS = raw.dts }
            lastDTS = raw.dts
        }
    }

    /// The payloads' digest so far.
    var payload: DubCore.Digest { .sha256(hash) }

    func digest(of stream: UnsafeMutablePointer<AVStream>) -> PacketDigest {
        let parameters = stream.pointee.codecpar.pointee
        let timebase = stream.pointee.time_base
        func time(_ ticks: Int64?) -> MediaTime? { ticks.flatMap { MediaTime($0, timebase) } }
        return PacketDigest(
            stream: Int(stream.pointee.index), kind: StreamKind(parameters.codec_type),
            codec: parameters.codec_id == AV_CODEC_ID_NONE
                ? "unknown" : String(cString: avcodec_get_name(parameters.codec_id)),
            digest: payload, packets: packets, firstPTS: time(firstPTS), firstDTS: time(firstDTS),
            end: time(end),
            disorders: disorders,
            isAttachedPicture: stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0)
    }
}

extension DubCore.Digest {
    /// The digest of what a hash has been fed so far.
    fileprivate static func sha256(_ hash: SHA256) -> DubCore.Digest {
        let hex = hash.finalize().map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
        guard let digest = DubCore.Digest(hex: hex) else { preconditionFailure("SHA-256 is 64 digits") }
        return digest
    }
}
