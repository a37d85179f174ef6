internal import DubCore
internal import DubHTTP
internal import Foundation

extension ObjectStore {
    /// Sends a file in parts side by side, and puts them together.
    ///
    /// - Returns: The object's tag.
    func inParts(_ upload: Upload) async throws -> String {
        let length = partSize(for: upload.size)
        let journal = limits.journals.flatMap { UploadJournal(folder: $0, upload: upload, of: self, length: length) }
        var there: [Int: UploadedPart] = [:]
        var resumed: String?
        if let journal, let id = journal.uploadID {
            if let parts = try await listParts(upload, id) {
                resumed = id
                there = parts
            } else if let done = try? await head(upload.name, key: upload.options.encryption?.customerKey),
                done.isSame(as: upload)
            {
                // It was put together, and we did not live to read the answer.
                journal.remove()
                return done.tag
            }
        }
        let id: String
        if let resumed { id = resumed } else { id = try await begin(upload) }
        do {
            if resumed == nil { try journal?.begin(id) }
            let parts = try await send(upload, id, length: length, there: there, journal)
            // Each part was sent as it was read; all of them have to be of the file whose digest goes with them.
            guard upload.state == FileState(path: upload.path) else {
                throw DubError(
                    .inputMissing, "The file was changed while it was uploaded.", at: upload.path,
                    fix: "Upload it when nobody writes to it any more.")
            }
            let tag = try await complete(upload, id, parts)
            journal?.remove()
            return tag
        } catch let doubt as Ambiguous {
            journal?.remove()
            throw doubt
        } catch {
            // A store that is away for a while finds its parts when the file is sent again.
            if journal != nil, (error as? DubError)?.persistence == .transient { throw error }
            await abort(upload, id)
            journal?.remove()
            throw error
        }
    }

    private func begin(_ upload: Upload) async throws -> String {
        let place = "\(upload.name)"
        var request = endpoint.request("POST", upload.name, query: [.init("uploads")])
        request.headers = upload.options.headers
        request.headers[Self.digestField] = upload.digest.hex
        request.headers["x-amz-checksum-algorithm"] = "SHA256"
        let begun = try await exchange(request, at: place).response
        guard let id = ReplyReader.read(begun.body).first("UploadId"), !id.isEmpty else {
            throw DubError(
                .objectRefused, "The store began an upload and gave it no name.", at: place,
                fix: "Check that the endpoint is one of an object store.")
        }
        return id
    }

    /// Not a child of this task: it has to be done although this one is cancelled.
    private func abort(_ upload: Upload, _ id: String) async {
        await Task {
            let request = endpoint.request("DELETE", upload.name, query: [.init("uploadId", id)])
            _ = try? await exchange(request, patience: .init(total: .seconds(20)), at: "\(upload.name)")
        }.value
    }

    /// The bytes of a part, so that 10,000 of them are enough: in whole MiB above `limits.partSize`.
    func partSize(for size: Int64) -> Int64 {
        let least = (size + 9_999) / 10_000
        return max(limits.partSize, ((least + (1 << 20) - 1) >> 20) << 20)
    }

    private func send(
        _ upload: Upload, _ id: String, length: Int64, there: [Int: UploadedPart], _ journal: UploadJournal?
    ) async throws -> [UploadedPart] {
        let count = Int((upload.size + length - 1) / length)
        return try await withThrowingTaskGroup(of: UploadedPart.self) { group in
            var parts: [UploadedPart] = []
            for number in 1...count {
                if number > limits.partsAtOnce, let done = try await group.next() { parts.append(done) }
                group.addTask {
                    let offset = Int64(number - 1) * length
                    let size = min(length, upload.size - offset)
                    let digest = try Self.digest(ofFileAt: upload.path, offset: offset, length: size)
                    // The store's word for what it holds, and ours for what that was.
                    if let old = there[number], old.size == size,
                        (old.digest ?? journal?.digest(ofPart: number, tag: old.tag)) == digest
                    {
                        return UploadedPart(number: number, tag: old.tag, size: size, digest: digest)
                    }
                    let part = try await send(upload, id, number, offset: offset, size: size, digest)
                    journal?.note(part)
                    return part
                }
            }
            for try await done in group { parts.append(done) }
            return parts.sorted { $0.number < $1.number }
        }
    }

    private func send(
        _ upload: Upload, _ id: String, _ number: Int, offset: Int64, size: Int64, _ digest: Digest
    ) async throws -> UploadedPart {
        let place = "\(upload.name), part \(number)"
        var request = endpoint.request(
            "PUT", upload.name, query: [.init("partNumber", "\(number)"), .init("uploadId", id)])
        request.headers[Self.checksumField] = digest.bytes.base64EncodedString()
        request.headers.fields += (upload.options.encryption?.customerKey?.headers ?? [:]).fields
        let answer = try await exchange(
            request, body: .file(path: upload.path, offset: offset, length: size), payload: .digest(digest), at: place
        ).response
        try compare(digest, with: answer, at: place)
        return UploadedPart(number: number, tag: answer.headers["ETag"] ?? "", size: size, digest: digest)
    }

    private func complete(_ upload: Upload, _ id: String, _ parts: [UploadedPart]) async throws -> String {
        let list = parts.map { part in
            "<Part><PartNumber>\(part.number)</PartNumber><ETag>\(XMLText.escape(part.tag))</ETag>"
                + "<ChecksumSHA256>\(part.checksum)</ChecksumSHA256></Part>"
        }.joined()
        let body = Data(
            ("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\(list)"
                + "</CompleteMultipartUpload>").utf8)
        let place = "\(upload.name)"
        var request = endpoint.request("POST", upload.name, query: [.init("uploadId", id)])
        request.headers = ["Content-Type": "application/xml"]
        if upload.options.createOnly { request.headers["If-None-Match"] = "*" }
        // Large ones are put together for minutes, in silence.
        let answer = try await exchange(
            request, body: .data(body), payload: .digest(.of(body)), patience: .init(idle: .seconds(600)), at: place)
        let reply = ReplyReader.read(answer.response.body)
        // “Checking object integrity” in the user guide of Amazon S3: the digest of the parts' digests.
        let composite = Digest.of(parts.reduce(into: Data()) { $0 += $1.digest?.bytes ?? Data() })
        let expected = "\(composite.bytes.base64EncodedString())-\(parts.count)"
        let there: Entry?
        do {
            there = try await head(upload.name, key: upload.options.encryption?.customerKey)
        } catch let error as DubError where error.code == .objectDenied {
            // Who may write need not be let read.
            there = nil
        }
        guard reply.first("ChecksumSHA256").map({ $0 == expected || !$0.contains("-") }) ?? true,
            there?.isSame(as: upload) ?? true
        else {
            throw DubError(
                .objectDamaged, "The parts that the store put together are not the file.", at: place,
                fix: "Check that nobody else writes to this key; then send the file again.")
        }
        return there?.tag ?? (reply.first("ETag") ?? "").replacing("\"", with: "")
    }

    private static func digest(ofFileAt path: String, offset: Int64, length: Int64) throws -> Digest {
        var hash = StretchHash(path: path)
        try hash.read(offset..<offset + length)
        return try hash.digest()
    }
}
