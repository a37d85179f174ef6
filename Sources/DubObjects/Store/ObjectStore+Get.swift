public import DubCore
internal import DubHTTP
internal import Foundation

extension ObjectStore {
    /// Brings an object into a file; under its name the file is whole or not there.
    ///
    /// Large ones come in ranges side by side, all of one version. The file is written beside its place, and its length
    /// and digest are compared: with `expected`, or with the one that was kept when the object was put there. What
    /// differs is fetched once more, then refused.
    ///
    /// - Parameter key: the customer's key, where the object is encrypted with one.
    /// - Throws: `object.missing`, `object.damaged`, `object.denied`, `object.unavailable`; `output.unwritable`; errors
    ///   of HTTP; `CancellationError`.
    @discardableResult
    public func get(
        _ name: ObjectName, to path: String, expecting expected: Digest? = nil, key: CustomerKey? = nil
    ) async throws -> Entry {
        do {
            return try await fetch(name, to: path, expected, key)
        } catch let error as DubError where error.code == .objectDamaged {
            return try await fetch(name, to: path, expected, key)
        }
    }

    private func fetch(
        _ name: ObjectName, to path: String, _ expected: Digest?, _ key: CustomerKey?
    ) async throws -> Entry {
        let folder = (path as NSString).deletingLastPathComponent
        let partial = (folder as NSString).appendingPathComponent(".dubmill-\(UUID().uuidString).part")
        // Not there any more once it has its name.
        defer { unlink(partial) }
        let (there, digest) = try await bring(name, into: partial, key)
        var entry = there
        let size = FileState(path: partial)?.size ?? -1
        guard entry.size == size else { throw damaged(name, "\(size) bytes came of \(entry.size)") }
        if let wanted = expected ?? entry.digest, wanted != digest {
            throw damaged(name, "its SHA-256 is \(digest.short)… and not \(wanted.short)…")
        }
        entry.digest = digest
        let file = open(partial, O_RDONLY | O_CLOEXEC)
        defer { if file >= 0 { close(file) } }
        // Before the name: a file of that name is whole after a power cut too.
        guard file >= 0, fsync(file) == 0, rename(partial, path) == 0 else {
            throw unwritable("The download cannot be kept", path)
        }
        return entry
    }

    private func bring(
        _ name: ObjectName, into file: String, _ key: CustomerKey?
    ) async throws -> (Entry, Digest) {
        let there = try await head(name, key: key)
        guard there.size >= limits.multipartFrom, there.size > 0, !there.tag.isEmpty else {
            return try await bringWhole(name, into: file, key)
        }
        do {
            return (there, try await bringRanges(name, there, into: file, key))
        } catch let error as DubError where error.code == .httpOtherRange {
            // A store that knows no ranges.
            unlink(file)
            return try await bringWhole(name, into: file, key)
        } catch let error as DubError where error.code == .objectExists {
            throw damaged(name, "somebody replaced it while it was fetched")
        }
    }

    private func bringWhole(
        _ name: ObjectName, into file: String, _ key: CustomerKey?
    ) async throws -> (Entry, Digest) {
        var request = endpoint.request("GET", name)
        request.headers = key?.headers ?? [:]
        request.headers["x-amz-checksum-mode"] = "ENABLED"
        let answer = try await exchange(request, into: file, at: "\(name)").response
        guard answer.headers["Content-Length"] != nil else {
            throw damaged(name, "the store does not say how long it is")
        }
        return (entry(name.key, answer), try Digest.of(fileAt: file))
    }

    /// - Returns: The digest of the file, of which each stretch is read as soon as those before it are there.
    private func bringRanges(
        _ name: ObjectName, _ there: Entry, into file: String, _ key: CustomerKey?
    ) async throws -> Digest {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw unwritable("The download cannot be written", file) }
        close(descriptor)
        let length = partSize(for: there.size)
        let stretches = stride(from: 0, to: there.size, by: Int64.Stride(length)).map {
            $0..<min($0 + length, there.size)
        }
        return try await withThrowingTaskGroup(of: Int.self) { group in
            func start(_ index: Int) {
                let stretch = stretches[index]
                group.addTask {
                    var request = endpoint.request("GET", name)
                    request.headers = key?.headers ?? [:]
                    request.headers["Range"] = "bytes=\(stretch.lowerBound)-\(stretch.upperBound - 1)"
                    request.headers["If-Match"] = "\"\(there.tag)\""
                    _ = try await exchange(request, into: file, stretch: stretch, at: "\(name)")
                    return index
                }
            }
            var started = min(limits.partsAtOnce, stretches.count)
            for index in 0..<started { start(index) }
            var hash = StretchHash(path: file)
            var arrived: Set<Int> = []
            var hashed = 0
            while let index = try await group.next() {
                arrived.insert(index)
                if started < stretches.count {
                    start(started)
                    started += 1
                }
                while arrived.remove(hashed) != nil {
                    try hash.read(stretches[hashed])
                    hashed += 1
                }
            }
            return try hash.digest()
        }
    }

    private func unwritable(_ what: String, _ path: String) -> DubError {
        DubError(
            .outputUnwritable, "\(what): \(String(cString: strerror(errno))).", at: path,
            fix: "Check the folder, your rights in it, and the room on the disk.")
    }

    private func damaged(_ name: ObjectName, _ what: String) -> DubError {
        DubError(
            .objectDamaged, "The object is not what was stored: \(what).", at: "\(name)",
            fix: "Put it there again from its source.")
    }
}
