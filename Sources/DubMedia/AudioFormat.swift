internal import CFFmpeg
internal import DubCore

/// How samples lie in time and space: always Float32, `[frame][channel]` interleaved, −1…1.
public struct AudioFormat: Hashable, Sendable, Codable {
    /// Sample frames a second; > 0.
    public var sampleRate: Int
    /// FFmpeg's name of the channels' places: `mono`, `stereo`, `5.1`, …
    public var layout: String

    /// Makes a format. A layout that FFmpeg does not know is refused where the format is used.
    public init(sampleRate: Int, layout: String = "mono") {
        self.sampleRate = sampleRate
        self.layout = layout
    }

    /// How many channels; 0 for a layout that FFmpeg does not know.
    public var channels: Int { (try? ChannelLayout(named: layout))?.count ?? 0 }

    /// The sample rates that any call here accepts.
    static let rates = 1000...768_000

    /// - Throws: `media.unsupported` for an unknown layout or a rate out of 1000…768000.
    func checked() throws -> ChannelLayout {
        let layout = try ChannelLayout(named: layout)
        guard Self.rates.contains(sampleRate) else {
            throw DubError(
                .mediaUnsupported, "A sample rate of \(sampleRate) Hz is out of reach.", at: "\(self)",
                fix: "Use 8000 to 192000.")
        }
        return layout
    }
}

/// Consecutive sample frames of a timeline.
public struct AudioBlock: Sendable {
    /// The first frame's place on the item's timeline, in frames at this rate.
    public var start: Int64
    /// How many frames; ≥ 1.
    public var frames: Int
    /// `frames × channels` samples, `[frame][channel]`, Float32, −1…1.
    public var samples: [Float]
}

/// Owns an `AVChannelLayout`.
struct ChannelLayout: ~Copyable {
    let raw: AVChannelLayout

    /// - Throws: `media.unsupported` for a name that FFmpeg does not know, or more than 64 channels.
    init(named name: String) throws {
        var layout = AVChannelLayout()
        let known = av_channel_layout_from_string(&layout, name) >= 0
        guard known, layout.nb_channels > 0, layout.nb_channels <= 64 else {
            av_channel_layout_uninit(&layout)
            throw DubError(
                .mediaUnsupported, "“\(name)” is not a channel layout.", at: name,
                fix: "Use mono, stereo, 5.1 or another of FFmpeg's names.")
        }
        raw = layout
    }

    /// A copy; a layout without places gets the usual ones for its number of channels.
    init(copying other: AVChannelLayout) {
        var other = other
        var layout = AVChannelLayout()
        if other.order == AV_CHANNEL_ORDER_UNSPEC || av_channel_layout_check(&other) == 0 {
            av_channel_layout_default(&layout, other.nb_channels)
        } else {
            av_channel_layout_copy(&layout, &other)
        }
        raw = layout
    }

    var count: Int { Int(raw.nb_channels) }

    var name: String {
        var layout = raw
        var text = ""
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress else { return }
            if av_channel_layout_describe(&layout, base, buffer.count) >= 0 { text = String(cString: base) }
        }
        return text
    }

    func same(as other: AVChannelLayout) -> Bool {
        var left = raw
        var right = other
        return av_channel_layout_compare(&left, &right) == 0
    }

    deinit {
        var layout = raw
        av_channel_layout_uninit(&layout)
    }
}
