internal import DubCore
internal import Foundation

/// Writes the body of a good answer into a file, and gathers that of any other.
///
/// Good is 2xx where the file is new, and 206 of just the bytes asked for where it is a stretch of a file.
final class FileSink: TransferSink {
    let response = Once<HTTPResponse>()
    private let path: String
    private let stretch: Range<Int64>?
    private let whole: WholeSink
    private let state = Locked(State())

    private struct State {
        var descriptor: Int32 = -1
        var position: Int64 = 0
        var problem: DubError?
    }

    /// - Parameter stretch: which bytes of an object come, and so where they go; else the file is new.
    init(_ request: HTTPRequest, path: String, stretch: Range<Int64>? = nil) {
        self.path = path
        self.stretch = stretch
        whole = WholeSink(request)
    }

    func receive(_ head: HTTPHead) {
        whole.receive(head)
        state.withLock { state in
            guard (200...299).contains(head.status), state.descriptor < 0 else { return }
            if let stretch {
                let range = head.headers["Content-Range"] ?? ""
                guard head.status == 206, range.hasPrefix("bytes \(stretch.lowerBound)-\(stretch.upperBound - 1)/")
                else {
                    state.problem = otherRange(head.status, range)
                    return
                }
                state.position = stretch.lowerBound
                state.descriptor = open(path, O_WRONLY | O_CLOEXEC)
            } else {
                state.descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            }
            if state.descriptor < 0 { state.problem = unwritable(errno) }
        }
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Intake {
        let (isFile, problem) = state.withLock { state in
            if state.problem == nil, state.descriptor >= 0 { state.problem = write(bytes, &state) }
            return (state.descriptor >= 0, state.problem)
        }
        if let problem { return .refuse(problem) }
        return isFile ? .taken : whole.receive(bytes)
    }

    func finish(_ result: Result<Void, any Error>) {
        let problem: DubError? = state.withLock { state in
            // A connection that drops looks like an end where no length was told.
            if case .success = result, let stretch, state.descriptor >= 0, state.problem == nil,
                state.position != stretch.upperBound
            {
                state.problem = DubError(
                    .httpFailed, "The answer ended before its range did.", at: path, fix: "Try again.",
                    persistence: .transient)
            }
            // An answer without a body never came to the place where the failure is told.
            if state.descriptor >= 0, close(state.descriptor) != 0, state.problem == nil {
                state.problem = unwritable(errno)
            }
            state.descriptor = -1
            return state.problem
        }
        whole.finish(result)
        if let problem {
            response.settle(.failure(problem))
        } else if let outcome = whole.response.settled {
            response.settle(outcome)
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, _ state: inout State) -> DubError? {
        if let stretch, state.position + Int64(bytes.count) > stretch.upperBound { return otherRange(206, "too much") }
        var rest = bytes
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = pwrite(state.descriptor, start, rest.count, off_t(state.position))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return unwritable(errno) }
            state.position += Int64(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return nil
    }

    private func otherRange(_ status: Int, _ range: String) -> DubError {
        DubError(
            .httpOtherRange, "The server does not give the bytes that were asked for: status \(status) \(range).",
            at: path, fix: "Fetch the whole.")
    }

    private func unwritable(_ problem: Int32) -> DubError {
        DubError(
            .outputUnwritable, "The download cannot be written: \(String(cString: strerror(problem))).", at: path,
            fix: "Check the folder, your rights in it, and the room on the disk.")
    }
}
