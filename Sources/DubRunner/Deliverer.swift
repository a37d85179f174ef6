internal import DubCore
public import DubGraph
internal import Foundation

/// Puts what a finished plan made into the output folder, under names that people read.
///
/// A file appears under its final name whole or not at all. A file that is already what it should be is left alone.
public struct Deliverer: Sendable {
    private let store: any Store
    private let ledger: any Ledger
    private let folder: String

    /// Delivers into `folder`, which is made where it is missing.
    public init(store: any Store, ledger: any Ledger, folder: String) {
        self.store = store
        self.ledger = ledger
        self.folder = folder
    }

    /// Checks that the folder can be written before any work is done.
    ///
    /// - Throws: `output.unwritable`.
    public func prepare() throws {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw Self.unwritable(error.localizedDescription, folder)
        }
        guard access(folder, W_OK | X_OK) == 0 else {
            throw Self.unwritable(String(cString: strerror(errno)), folder)
        }
    }

    /// Delivers one item's files, of the pipeline's deliveries those whose nodes finished.
    ///
    /// - Parameters:
    ///   - stem: what `{stem}` stands for.
    ///   - source: the item's path: never overwritten.
    ///   - isWanted: asked for each language (`nil` where a file has none) and kind.
    /// - Throws: `output.unwritable`; files delivered before stay.
    public func deliver(
        _ plan: Plan, stem: String, source: String, isWanted: (_ language: String?, _ kind: String) -> Bool
    ) async throws -> [OutputRecord] {
        var records: [OutputRecord] = []
        for delivery in plan.graph.deliveries {
            guard let step = plan.graph.step(named: delivery.stage) else { continue }
            for (node, value) in plan.outputs(ofStep: step, named: delivery.output) {
                let labels = plan.labels(of: node)
                guard isWanted(labels["language"], delivery.kind) else { continue }
                for artifact in value.artifacts {
                    let path = "\(folder)/\(Self.name(delivery.name, stem: stem, labels: labels)).\(artifact.type)"
                    guard FileIdentity(path: path)?.inode != FileIdentity(path: source)?.inode else {
                        throw Self.unwritable("it would overwrite the source", path)
                    }
                    try await place(artifact, at: path)
                    records.append(
                        OutputRecord(
                            kind: delivery.kind, language: labels["language"], path: path, sha256: artifact.digest))
                }
            }
        }
        return records
    }

    static func name(_ template: String, stem: String, labels: [String: String]) -> String {
        var name = template
        for (axis, label) in labels {
            name = name.replacingOccurrences(of: "{\(axis)}", with: label.replacingOccurrences(of: "/", with: "-"))
        }
        return name.replacingOccurrences(of: "{stem}", with: stem)
    }

    private func place(_ artifact: Artifact, at path: String) async throws {
        if let file = FileIdentity(path: path), file.size == artifact.size {
            let known = try await ledger.digest(of: file)
            if try known ?? Digest.of(fileAt: path) == artifact.digest {
                if known == nil { try await ledger.remember(artifact.digest, of: file) }
                return
            }
        }
        let name = (path as NSString).lastPathComponent
        let temporary = "\(folder)/.\(name.prefix(100)).\(UUID().uuidString.prefix(8)).part"
        do {
            try FileManager.default.copyItem(atPath: store.path(of: artifact), toPath: temporary)
            let descriptor = open(temporary, O_RDWR | O_CLOEXEC)
            guard descriptor >= 0 else { throw Self.unwritable(String(cString: strerror(errno)), path) }
            let synced = fsync(descriptor)
            close(descriptor)
            guard synced == 0, rename(temporary, path) == 0 else {
                throw Self.unwritable(String(cString: strerror(errno)), path)
            }
            let parent = open(folder, O_RDONLY | O_CLOEXEC)
            if parent >= 0 {
                fsync(parent)
                close(parent)
            }
        } catch let error as DubError {
            unlink(temporary)
            throw error
        } catch {
            unlink(temporary)
            throw Self.unwritable(error.localizedDescription, path)
        }
        if let file = FileIdentity(path: path) { try await ledger.remember(artifact.digest, of: file) }
    }

    private static func unwritable(_ reason: String, _ path: String) -> DubError {
        DubError(
            .outputUnwritable, "The output cannot be written: \(reason).", at: path,
            fix: "Make room, or choose another folder with --out.")
    }
}
