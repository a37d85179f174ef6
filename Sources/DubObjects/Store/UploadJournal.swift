internal import DubCore
internal import DubHTTP
internal import Foundation

/// What is known on this machine of an upload in parts, so that it goes on after a crash.
///
/// A file of JSON lines: the upload's name at the store, then every part that went up. It belongs to one content, one
/// place and one way of keeping: with anything else it is another file. While a process uploads it holds a lock on
/// it; a second one sends for itself, without a journal.
final class UploadJournal: Sendable {
    /// The store's name of the upload that was under way; `nil` where none was.
    let uploadID: String?
    private let path: String
    private let descriptor: Int32
    private let parts: [Int: UploadedPart]

    private struct Head: Codable {
        var upload: String
    }

    /// - Returns: `nil` where another process has it, or the folder cannot be written: then nothing is kept.
    init?(folder: String, upload: ObjectStore.Upload, of store: ObjectStore, length: Int64) {
        let options = upload.options
        var key = options
        if let customer = options.encryption?.customerKey { key.encryption = .keyService(customer.mark) }
        let identity = [
            "\(store.endpoint)", "\(upload.name)", upload.digest.hex, "\(upload.size)", "\(length)",
            key.headers.fields.map { "\($0.name):\($0.value)" }.joined(separator: "\n"),
        ].joined(separator: "\n")
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        path = "\(folder)/\(Digest.of(identity).hex).jsonl"
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        var here = stat()
        var named = stat()
        // Whoever had the lock may have removed the file before we got it.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &here) == 0, stat(path, &named) == 0,
            here.st_ino == named.st_ino
        else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        let lines = (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n") ?? []
        uploadID = lines.first.flatMap { try? JSONDecoder().decode(Head.self, from: Data($0.utf8)).upload }
        // A line that was torn by the crash is a part that is sent again.
        let noted = lines.dropFirst().compactMap { try? JSONDecoder().decode(UploadedPart.self, from: Data($0.utf8)) }
        parts = Dictionary(noted.map { ($0.number, $0) }) { $1 }
    }

    deinit {
        close(descriptor)
    }

    /// Forgets what was there, and notes an upload that begins.
    ///
    /// - Throws: `output.unwritable`.
    func begin(_ id: String) throws {
        guard ftruncate(descriptor, 0) == 0, append(Head(upload: id)), fsync(descriptor) == 0 else {
            throw DubError(
                .outputUnwritable, "The journal of the upload cannot be written.", at: path,
                fix: "Check the room on the disk.")
        }
    }

    /// Notes a part that the store has. Should that fail, it is only sent again.
    func note(_ part: UploadedPart) { _ = append(part) }

    /// What the part was that the store marked so.
    func digest(ofPart number: Int, tag: String) -> Digest? {
        guard let part = parts[number], !tag.isEmpty,
            part.tag.replacing("\"", with: "") == tag.replacing("\"", with: "")
        else { return nil }
        return part.digest
    }

    /// Removes the file: the upload is done or given up.
    func remove() { unlink(path) }

    private func append(_ line: some Encodable) -> Bool {
        guard var data = try? JSONEncoder().encode(line) else { return false }
        data.append(UInt8(ascii: "\n"))
        // In one call, to the end of the file: parts that go up side by side do not mix.
        return data.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == data.count
    }
}
