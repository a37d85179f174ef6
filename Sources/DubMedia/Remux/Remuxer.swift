internal import CFFmpeg
internal import DubCore

/// Writes a source again with tracks added or replaced: every other packet as it was, nothing encoded but what is new.
///
/// Rules:
/// - Original streams keep their order; added audio comes after them, then added subtitles. The text track by which
///   MP4 lists chapters is written anew, after all others; Matroska's attached files come last.
/// - The container stays where dubmill can write it and it can hold the result, else it is Matroska; the report says
///   why. Containers that wrap packets anew (MPEG-TS, Ogg) are read back, and give way to Matroska if a packet changed.
/// - Dispositions are kept, but where audio is added: then `default` leaves the original audio, the stream that was
///   dubbed is flagged `original`, the first dub `default` and `dub`, further dubs `dub`. Not every container can say
///   all of these: MP4 says `default` and `dub`, QuickTime `default`, Matroska and WebM `default` and `original`.
/// - A replaced stream keeps its place, name, language and dispositions, begins where it began and ends where it ended.
///   Its codec is of the same family where that can be encoded and held.
/// - A dub begins at the first timestamp of the source's dialogue stream and ends where that ends.
public enum Remuxer {
    /// Writes the output under a temporary name and gives it its own when it is whole and on the disk.
    ///
    /// - Parameter progress: called now and then with the part that is done, 0…1, on a thread of FFmpeg's calls.
    /// - Throws: `input.missing`, `media.unreadable` for the source or an added file; `media.unsupported` where no
    ///   container can hold the streams; `output.unwritable`; `CancellationError`. Then no file is left.
    public static func run(
        _ request: RemuxRequest, progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> RemuxReport {
        try await MediaThread.run { cancellation in
            try run(request, cancellation: cancellation, progress: progress)
        }
    }

    /// As above, on this thread.
    static func run(
        _ request: RemuxRequest, cancellation: Cancellation, progress: (Double) -> Void
    ) throws -> RemuxReport {
        let info = try Demuxer.open(request.source, cancellation: cancellation).describe()
        let audio = Set(info.streams.filter { $0.kind == .audio }.map(\.index))
        precondition(request.replaced.allSatisfy { audio.contains($0.stream) }, "only audio can be replaced")
        var plans = ContainerPlan.candidates(for: info, request: request)
        while !plans.isEmpty {
            let plan = plans.removeFirst()
            do {
                let source = try Demuxer.open(request.source, cancellation: cancellation)
                let muxer = try Muxer.create(
                    request.outputStem + "." + plan.suffix, format: plan.muxer, cancellation: cancellation)
                let session = RemuxSession(source, muxer, plan: plan, info: info, replaced: request.replaced)
                return try session.run(request, progress: progress)
            } catch let error as CopyDiffers where !plans.isEmpty {
                plans[0].reason =
                    "Written to \(plan.muxer), the packets of stream \(error.stream) would not be the same bytes."
            } catch let error as DubError where error.code == .mediaUnsupported && !plans.isEmpty {
                plans[0].reason = error.what
            }
        }
        throw DubError(
            .mediaUnsupported, "No container can hold this file's streams unchanged.", at: request.source,
            fix: "Convert it to MP4 or Matroska first.")
    }
}
