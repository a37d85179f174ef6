public import DubCore
internal import DubHTTP
internal import Foundation

extension ObjectStore {
    /// Puts a file there, in one piece or, if it is large, in parts that go up side by side.
    ///
    /// The digest of every body goes with it, signed; the store compares, and what it says that it received is
    /// compared once more. The digest of the whole file is kept beside the object, for `get` to compare with.
    ///
    /// With `limits.journals`, parts that went up before a crash, or before the store went away, are found again and
    /// not sent twice. Where the task is cancelled or the store refuses, the parts are given up.
    ///
    /// - Parameter expected: what the file has to be; else nothing is sent.
    /// - Throws: `object.exists` for `createOnly`; `input.missing`, `input.changed`; `object.denied`, `object.missing`
    ///   for a bucket that is not there, `object.damaged`, `object.unavailable`; errors of HTTP; `CancellationError`.
    @discardableResult
    public func put(
        fileAt path: String, to name: ObjectName, options: PutOptions = PutOptions(), expecting expected: Digest? = nil
    ) async throws -> Entry {
        try options.check(at: "\(name)")
        guard let state = FileState(path: path) else {
            throw DubError(
                .inputMissing, "The file to be stored is missing, or is no file.", at: path,
                fix: "Check the path.")
        }
        let size = state.size
        let digest = try Digest.of(fileAt: path)
        guard expected.map({ $0 == digest }) ?? true else {
            throw DubError(
                .inputChanged, "The file is not what it was: its SHA-256 is \(digest.short)….", at: path,
                fix: "Make it again.")
        }
        let upload = Upload(path: path, name: name, size: size, state: state, digest: digest, options: options)
        do {
            let tag = size >= limits.multipartFrom && size > 0 ? try await inParts(upload) : try await whole(upload)
            return Entry(key: name.key, size: size, tag: tag, digest: upload.digest)
        } catch let doubt as Ambiguous {
            // Its answer was lost, and the next attempt met what the first had made: then all is well.
            if let there = try? await head(name, key: options.encryption?.customerKey), there.isSame(as: upload) {
                return there
            }
            throw doubt.error
        }
    }

    /// A file on its way.
    struct Upload {
        var path: String
        var name: ObjectName
        var size: Int64
        var state: FileState
        var digest: Digest
        var options: PutOptions
    }

    private func whole(_ upload: Upload) async throws -> String {
        var request = endpoint.request("PUT", upload.name)
        request.headers = upload.options.headers
        request.headers[Self.digestField] = upload.digest.hex
        request.headers[Self.checksumField] = upload.digest.bytes.base64EncodedString()
        if upload.options.createOnly { request.headers["If-None-Match"] = "*" }
        let body: HTTPRequest.Body =
            upload.size == 0 ? .data(Data()) : .file(path: upload.path, offset: 0, length: upload.size)
        let place = "\(upload.name)"
        let answer = try await exchange(request, body: body, payload: .digest(upload.digest), at: place).response
        try compare(upload.digest, with: answer, at: place)
        return entry(upload.name.key, answer).tag
    }

    /// - Throws: `object.damaged` where the store says that it received something else.
    func compare(_ digest: Digest, with answer: HTTPResponse, at place: String) throws(DubError) {
        guard let said = answer.headers[Self.checksumField], said != digest.bytes.base64EncodedString() else { return }
        throw DubError(
            .objectDamaged, "The store received other bytes than were sent: its SHA-256 is \(said).", at: place,
            fix: "Check that nobody writes to the file while it is uploaded; then try again.")
    }
}

/// What changes with a file when somebody writes to it.
struct FileState: Sendable, Hashable {
    let size: Int64
    private let device: UInt64
    private let number: UInt64
    private let modified: [Int]

    /// `nil` where there is no regular file.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        size = Int64(status.st_size)
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        modified = [status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
    }
}

extension ObjectStore.Entry {
    func isSame(as upload: ObjectStore.Upload) -> Bool { digest == upload.digest && size == upload.size }
}
