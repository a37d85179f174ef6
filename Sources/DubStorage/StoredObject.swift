public import DubCore
internal import DubRunner
internal import Foundation

/// An object as it lies in a store.
public struct StoredObject: Sendable, Hashable {
    /// The digest that its name promises.
    public var digest: Digest
    /// What it is, as a file name's extension.
    public var type: String
    /// How many bytes it has now.
    public var size: Int64

    /// Describes an object.
    public init(digest: Digest, type: String, size: Int64) {
        self.digest = digest
        self.type = type
        self.size = size
    }

    /// The part that names it in results: whatever its size, it is this one.
    var name: Name { Name(digest: digest, type: type) }

    struct Name: Hashable {
        var digest: Digest
        var type: String
    }
}

extension Artifact {
    var name: StoredObject.Name { StoredObject.Name(digest: digest, type: type) }
}

extension FileStore {
    /// What a removal calls an object while it asks whether anybody needs it.
    static let removing = ".removing"

    /// Where an object lies.
    public func path(of object: StoredObject) -> String { path(of: object.digest, type: object.type) }

    /// Every object; files in `objects/` that are none are left out.
    public func objects() -> [StoredObject] {
        var found: [StoredObject] = []
        eachFile { folder, name in
            guard !name.hasSuffix(Self.removing), let dot = name.firstIndex(of: "."),
                let digest = Digest(hex: folder + name[..<dot]),
                let file = FileIdentity(path: "\(root)/objects/\(folder)/\(name)")
            else { return }
            found.append(
                StoredObject(digest: digest, type: String(name[name.index(after: dot)...]), size: file.size))
        }
        return found
    }

    func eachFile(_ body: (_ folder: String, _ name: String) -> Void) {
        let files = FileManager.default
        for folder in (try? files.contentsOfDirectory(atPath: "\(root)/objects"))?.sorted() ?? [] {
            for name in (try? files.contentsOfDirectory(atPath: "\(root)/objects/\(folder)"))?.sorted() ?? [] {
                body(folder, name)
            }
        }
    }

    /// Whether an object's bytes are what its name promises; reads it whole.
    ///
    /// - Throws: `CancellationError`.
    public func isWhole(_ object: StoredObject) throws -> Bool {
        try Self.isWhole(path(of: object), object.digest)
    }

    /// What cannot be read is damaged.
    static func isWhole(_ path: String, _ digest: Digest) throws -> Bool {
        do {
            return try Digest.of(fileAt: path) == digest
        } catch let error as CancellationError {
            throw error
        } catch {
            return false
        }
    }
}
