internal import CFFmpeg
internal import DubCore

/// An FFmpeg filter graph over audio: samples in at one or more inputs, samples out at one output.
///
/// Not `Sendable`: it stays in the closure of one `MediaThread.run`.
public struct FilterGraph: ~Copyable {
    /// What `pull` gives.
    public let output: AudioFormat
    /// What `push` takes, by input.
    public let inputs: [AudioFormat]
    private let graph: UnsafeMutablePointer<AVFilterGraph>
    private var sources: [UnsafeMutablePointer<AVFilterContext>] = []
    private var sink: UnsafeMutablePointer<AVFilterContext>?
    private var pushed: [Int64]
    private var ended: [Bool]
    private var widths: [Int] = []
    private var outputWidth = 0
    private let frame: Frame

    private init(
        adopting graph: UnsafeMutablePointer<AVFilterGraph>, _ frame: consuming Frame,
        _ inputs: [AudioFormat],
        _ output: AudioFormat
    ) {
        self.graph = graph
        self.frame = frame
        self.inputs = inputs
        self.output = output
        pushed = inputs.map { _ in 0 }
        ended = inputs.map { _ in false }
    }

    /// Builds a graph.
    ///
    /// - Parameter description: FFmpeg's syntax. With one input a plain chain (`volume=0.5,alimiter`) will do; with more,
    ///   the inputs are the links `[in0]`, `[in1]`, … and the output is `[out]`. Mind that `amix` turns every input
    ///   down unless it is given `normalize=0`.
    /// - Throws: `media.failed` for a description that does not parse or fit; `media.unsupported` for a bad format.
    public static func make(
        _ description: String, inputs: [AudioFormat], output: AudioFormat
    ) throws -> FilterGraph {
        MediaLog.begin()
        precondition(!inputs.isEmpty, "a graph needs an input")
        guard let made = avfilter_graph_alloc() else { throw DubError.noMemory("filter graph") }
        var graph = FilterGraph(adopting: made, try Frame(), inputs, output)
        made.pointee.nb_threads = 1
        graph.widths = try inputs.map { try $0.checked().count }
        graph.outputWidth = try output.checked().count
        let buffers = inputs.enumerated().map { index, format in
            "abuffer@in\(index)=time_base=1/\(format.sampleRate):sample_rate=\(format.sampleRate):sample_fmt=flt"
                + ":channel_layout=\(format.layout)"
        }
        let tail =
            "aformat=sample_fmts=flt:sample_rates=\(output.sampleRate):channel_layouts=\(output.layout)"
            + ",abuffersink@out"
        let labelled = description.contains("[in0]")
        let text: String
        if labelled {
            let heads = buffers.enumerated().map { "\($1)[in\($0)]" }.joined(separator: ";")
            text = "\(heads);\(description);[out]\(tail)"
        } else {
            guard inputs.count == 1 else {
                throw DubError(
                    .mediaFailed, "A graph of \(inputs.count) inputs must name them [in0], [in1], ….",
                    at: description,
                    fix: "Label the inputs, and the output [out].")
            }
            text = "\(buffers[0]),\(description),\(tail)"
        }
        var dangling: UnsafeMutablePointer<AVFilterInOut>?
        var open: UnsafeMutablePointer<AVFilterInOut>?
        defer {
            avfilter_inout_free(&dangling)
            avfilter_inout_free(&open)
        }
        let parsed = avfilter_graph_parse2(made, text, &dangling, &open)
        guard parsed >= 0 else { throw DubError.failed(description, "Building the filter graph", parsed) }
        guard dangling == nil, open == nil else {
            throw DubError(
                .mediaFailed, "Some links of the filter graph lead nowhere.", at: description,
                fix: "Use every input [in0], [in1], … once, and end in one [out].")
        }
        for index in inputs.indices {
            guard let source = avfilter_graph_get_filter(made, "abuffer@in\(index)") else {
                throw DubError.failed(
                    description, "Finding the graph's input \(index)", dub_error_invalid_data())
            }
            graph.sources.append(source)
        }
        graph.sink = avfilter_graph_get_filter(made, "abuffersink@out")
        let configured = avfilter_graph_config(made, nil)
        guard configured >= 0 else {
            throw DubError.failed(description, "Configuring the filter graph", configured)
        }
        return graph
    }

    /// Gives samples to an input: `[frame][channel]`, Float32, in that input's format.
    ///
    /// What is pushed waits in the graph until the other inputs have as much: push in step, and pull between pushes.
    /// - Throws: `media.failed` where a filter refuses.
    public mutating func push(_ samples: borrowing [Float], to input: Int = 0) throws {
        MediaLog.begin()
        precondition(!ended[input], "push after finish")
        let width = widths[input]
        let frames = samples.count / width
        var read = 0
        while read < frames {
            let step = min(frames - read, 8192)
            let raw = frame.raw
            raw.pointee.format = AV_SAMPLE_FMT_FLT.rawValue
            raw.pointee.sample_rate = Int32(inputs[input].sampleRate)
            raw.pointee.nb_samples = Int32(step)
            let layout = try ChannelLayout(named: inputs[input].layout)
            av_channel_layout_copy(&raw.pointee.ch_layout, [layout.raw])
            let status = av_frame_get_buffer(raw, 0)
            guard status >= 0, let target = raw.pointee.data.0 else {
                throw DubError.noMemory("filter graph")
            }
            samples.withUnsafeBufferPointer { source in
                guard let base = source.baseAddress else { return }
                UnsafeMutableRawPointer(target).copyMemory(
                    from: base + read * width, byteCount: step * width * MemoryLayout<Float>.size)
            }
            raw.pointee.pts = pushed[input]
            let given = av_buffersrc_add_frame_flags(sources[input], raw, 0)
            guard given >= 0 else { throw DubError.failed("filter graph", "Filtering", given) }
            pushed[input] += Int64(step)
            read += step
        }
    }

    /// Says that an input has ended.
    ///
    /// FFmpeg 5.1's `amix` stops for good when an input ends while it still holds samples of it: where inputs differ in
    /// length, push them in step and pull until `nil` before ending one, or give them all the same length.
    public mutating func finish(input: Int = 0) throws {
        guard !ended[input] else { return }
        ended[input] = true
        let status = av_buffersrc_add_frame_flags(sources[input], nil, 0)
        guard status >= 0 || status == dub_error_eof() else {
            throw DubError.failed("filter graph", "Ending an input", status)
        }
    }

    /// The next samples that are ready: `[frame][channel]`, Float32, in `output`.
    ///
    /// - Returns: `nil` while the graph wants more input; after every input has ended, `nil` is the end.
    public mutating func pull() throws -> [Float]? {
        try pullFrame { raw, width in
            let count = Int(raw.pointee.nb_samples) * width
            guard let data = raw.pointee.data.0 else { return [] }
            return data.withMemoryRebound(to: Float.self, capacity: count) {
                Array(UnsafeBufferPointer(start: $0, count: count))
            }
        }
    }

    /// As `pull`, but shows the frame itself with its number of channels.
    mutating func pullFrame<Value>(
        _ read: (UnsafeMutablePointer<AVFrame>, Int) throws -> Value
    ) throws -> Value? {
        let status = av_buffersink_get_frame(sink, frame.raw)
        if status == dub_error_again() || status == dub_error_eof() { return nil }
        guard status >= 0 else { throw DubError.failed("filter graph", "Filtering", status) }
        defer { frame.clear() }
        return try read(frame.raw, outputWidth)
    }

    deinit {
        var freeing: UnsafeMutablePointer<AVFilterGraph>? = graph
        avfilter_graph_free(&freeing)
    }
}
