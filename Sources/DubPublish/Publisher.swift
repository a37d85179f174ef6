internal import DubCore
public import DubRunner
internal import DubObjects
internal import Foundation

/// Makes publications that were written down: their files first, their manifests last.
///
/// Killed anywhere and begun again, it finds what is there by its digest and sends what is not; so no file is there
/// twice, and a manifest names nothing that is not there. See docs/adr/0009-publications.md.
public struct Publisher: Sendable {
    private let outbox: any Outbox
    private let destination: any Destination
    /// Done once the files are there.
    private let beforeManifest: @Sendable () async -> Void
    /// Where the bytes of a file lie that is not any more what it was in the output folder.
    private let fallback: @Sendable (Publication.File) -> String?

    /// Files that are on their way at once.
    private static let filesAtOnce = 4

    /// Publishes to a destination.
    public init(
        outbox: any Outbox, destination: any Destination, beforeManifest: @escaping @Sendable () async -> Void = {},
        fallback: @escaping @Sendable (Publication.File) -> String?
    ) {
        self.outbox = outbox
        self.destination = destination
        self.beforeManifest = beforeManifest
        self.fallback = fallback
    }

    /// What was to be done.
    public struct Effort: Sendable, Hashable {
        /// Files that were sent, the manifest too.
        public var sent = 0
        /// Files that were there.
        public var found = 0
    }

    /// Makes one, and writes in the outbox how that ended.
    ///
    /// - Throws: `publication.busy` where somebody else is at it; `publication.changed`, `publication.conflict`; what
    ///   the destination throws; `CancellationError`. In every case the intention stays, to be taken up again.
    @discardableResult
    public func publish(_ publication: Publication) async throws -> Effort {
        guard try await outbox.hold(publication.id, in: [.pending, .done]) else { throw Self.busy(publication) }
        do {
            let effort = try await make(publication)
            try await outbox.settle(publication.id, as: .done, error: nil)
            return effort
        } catch {
            // Not a child task: it has to be written although this one may be cancelled.
            let record = (error as? DubError).map(ErrorRecord.init) ?? publication.error
            try? await Task { try await outbox.settle(publication.id, as: .pending, error: record) }.value
            throw error
        }
    }

    static func busy(_ publication: Publication) -> DubError {
        DubError(
            .publicationBusy, "Somebody else publishes or erases there.", at: publication.folder,
            fix: "Wait until that is done.", persistence: .transient)
    }

    private func make(_ publication: Publication) async throws -> Effort {
        var effort = Effort()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            var rest = publication.files[...]
            func start() {
                guard let file = rest.popFirst() else { return }
                group.addTask { try await bring(file, of: publication) }
            }
            for _ in 0..<Self.filesAtOnce { start() }
            while let isSent = try await group.next() {
                effort.sent += isSent ? 1 : 0
                effort.found += isSent ? 0 : 1
                start()
            }
        }
        await beforeManifest()
        try Task.checkCancellation()
        if try await commit(publication) { effort.sent += 1 } else { effort.found += 1 }
        return effort
    }

    // MARK: - A file

    /// - Returns: whether it had to be sent.
    private func bring(_ file: Publication.File, of publication: Publication) async throws -> Bool {
        let mark = Mark(
            sha256: file.sha256, type: file.type, retainDays: publication.order.retainDays,
            expires: publication.expires)
        let there = try await destination.look(at: file.key)
        if let there {
            guard there.sha256 == file.sha256, there.size == file.size else { throw conflict(file.key) }
            if Self.lasts(there.expires, as: publication.expires) { return false }
        }
        do {
            try await send(file, mark, isNew: there == nil)
        } catch let error as DubError where error.code == .objectExists {
            // Somebody was faster: what counts is what is there.
            let there = try await destination.look(at: file.key)
            guard there?.sha256 == file.sha256 else { throw conflict(file.key) }
            return false
        }
        return true
    }

    private func send(_ file: Publication.File, _ mark: Mark, isNew: Bool) async throws {
        do {
            return try await destination.put(fileAt: file.path, as: file.key, mark, isNew: isNew)
        } catch let error as DubError where error.code == .inputChanged || error.code == .inputMissing {
            let changed = DubError(
                .publicationChanged, "The file is gone, or is not what the run made.", at: file.path,
                fix: "Give the same `dubmill run` again, then dubmill publish --pending.", cause: error)
            guard let other = fallback(file), other != file.path else { throw changed }
            do {
                try await destination.put(fileAt: other, as: file.key, mark, isNew: isNew)
            } catch let error as DubError where error.code == .inputChanged || error.code == .inputMissing {
                throw changed
            }
        }
    }

    /// Whether what goes on a day is there for as long as is wanted; days as texts are in the order of time.
    private static func lasts(_ there: String?, as wanted: String?) -> Bool {
        guard let there else { return true }
        guard let wanted else { return false }
        return there >= wanted
    }

    private func conflict(_ key: String) -> DubError {
        DubError(
            .publicationConflict, "Something else has this name already, and is left alone.",
            at: destination.address(of: key), fix: "Remove it, or publish to another prefix.")
    }

    // MARK: - The manifest

    /// Writes the manifest, unless one is there that says the same.
    ///
    /// - Returns: whether it had to be written.
    private func commit(_ publication: Publication) async throws -> Bool {
        let data = Data(publication.manifest.utf8)
        let mark = Mark(
            sha256: .of(data), type: "application/json", retainDays: publication.order.retainDays,
            expires: publication.expires)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dubmill-\(UUID().uuidString)").path
        defer { unlink(path) }
        let key = publication.manifestKey
        var isThere = false
        if let there = try await destination.look(at: key) {
            if there.sha256 == mark.sha256, Self.lasts(there.expires, as: publication.expires) { return false }
            // Of another run that came to the same, or of this one when it was to be kept for another time.
            let other = try await manifest(publication)
            if Self.lasts(other.expires, as: publication.expires) { return false }
            isThere = true
        }
        do {
            try data.write(to: URL(filePath: path))
        } catch {
            throw DubError(
                .outputUnwritable, "The manifest cannot be written: \(error.localizedDescription).", at: path,
                fix: "Make room for temporary files.", persistence: .transient, cause: error)
        }
        do {
            try await destination.put(fileAt: path, as: key, mark, isNew: !isThere)
        } catch let error as DubError where error.code == .objectExists {
            _ = try await manifest(publication)
            return false
        }
        return true
    }

    /// The manifest that is there.
    ///
    /// - Throws: `publication.conflict` where it is none of this publication; what the destination throws.
    private func manifest(_ publication: Publication) async throws -> PublicationManifest {
        let data = try await destination.read(publication.manifestKey)
        guard let manifest = try? PublicationManifest(data), manifest.publication == publication.id else {
            throw conflict(publication.manifestKey)
        }
        return manifest
    }
}
