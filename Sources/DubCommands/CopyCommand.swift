internal import ArgumentParser
internal import DubCore
internal import DubObjects
internal import Foundation

/// `dubmill copy`.
struct CopyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Copy a file into a bucket, or an object out of one, and check every byte.",
        discussion: """
              dubmill copy film.es.mp4 s3://films/s01e02.es.mp4 --create-only
              dubmill copy s3://films/s01e02.es.mp4 film.es.mp4

            Large files go in parts side by side. Killed and started again, it sends only what is missing; interrupted
            with ^C, it removes what it had sent. What arrives is compared with the SHA-256 of what was sent; a file
            that was fetched is whole under its name, or not there.
            """)

    @Argument(help: "A file, or an object as s3://bucket/key.", completion: .file()) var source: String
    @Argument(help: "An object as s3://bucket/key, or a file.", completion: .file()) var destination: String
    @Flag(help: "Leave alone what is there already, and fail.") var createOnly = false
    @Option(help: "The media type that the object is served with.") var type = "application/octet-stream"
    @Option(help: "Such as STANDARD_IA; else the store's usual one.") var storageClass: String?
    @Option(name: .customLong("tag"), help: "A mark as name=value, for lifecycle rules; can be given again.")
    var tags: [String] = []
    @Option(help: "How the store encrypts: managed, or kms, or kms:KEY.") var encrypt: String?
    @Option(help: "A file of 32 bytes: the store encrypts with them and forgets them.", completion: .file())
    var customerKey: String?
    @OptionGroup var bucket: BucketOptions

    func validate() throws {
        guard source.hasPrefix("s3://") != destination.hasPrefix("s3://") else {
            throw ValidationError("One of the two has to be an object, as s3://bucket/key, and the other a file.")
        }
        for tag in tags where !tag.dropFirst().contains("=") {
            throw ValidationError("--tag is \(tag); give name=value.")
        }
        if let encrypt, encrypt != "managed", encrypt != "kms", !encrypt.hasPrefix("kms:") {
            throw ValidationError("--encrypt is \(encrypt); give managed, kms or kms:KEY.")
        }
        if encrypt != nil, customerKey != nil {
            throw ValidationError("Give --encrypt or --customer-key, not both.")
        }
        if source.hasPrefix("s3://"), !tags.isEmpty || storageClass != nil || encrypt != nil {
            throw ValidationError("--tag, --storage-class and --encrypt are for files that go into a bucket.")
        }
    }

    func run() async throws {
        let work = Task { try await copy() }
        let interruption = Interruption(grace: .seconds(25)) { work.cancel() }
        do {
            try await work.value
        } catch is CancellationError where interruption.isInterrupted {
            throw ExitCode(Exit.interrupted)
        } catch let error as DubError {
            Console.note("\(error)")
            throw ExitCode(Exit.code(of: error))
        }
    }

    private func copy() async throws {
        let store = try bucket.open()
        let key = try customerKey.map(readKey)
        if source.hasPrefix("s3://") {
            let name = try ObjectName(source)
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: destination, isDirectory: &isFolder)
            let path =
                isFolder.boolValue
                ? (destination as NSString).appendingPathComponent((name.key as NSString).lastPathComponent)
                : destination
            guard !createOnly || !exists || isFolder.boolValue && !FileManager.default.fileExists(atPath: path) else {
                throw DubError(
                    .objectExists, "There is such a file already.", at: path,
                    fix: "Choose another name, or leave out --create-only.")
            }
            let entry = try await store.get(name, to: path, key: key)
            Console.result("\(path)\t\(entry.size)\t\(entry.digest?.hex ?? "")")
        } else {
            var name = destination
            if name.hasSuffix("/") { name += (source as NSString).lastPathComponent }
            var options = PutOptions(type: type, createOnly: createOnly, storageClass: storageClass)
            for tag in tags {
                let parts = tag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                options.tags[String(parts[0])] = String(parts[1])
            }
            if let key {
                options.encryption = .customer(key)
            } else if let encrypt {
                options.encryption =
                    encrypt == "managed" ? .managed : .keyService(encrypt == "kms" ? nil : String(encrypt.dropFirst(4)))
            }
            let object = try ObjectName(name)
            let entry = try await store.put(fileAt: source, to: object, options: options)
            Console.result("\(object)\t\(entry.size)\t\(entry.digest?.hex ?? "")")
        }
    }

    private func readKey(_ path: String) throws -> CustomerKey {
        guard let data = FileManager.default.contents(atPath: path), let key = CustomerKey(data) else {
            throw DubError(
                .inputMissing, "The file of the key cannot be read, or does not hold 32 bytes.", at: path,
                fix: "Make one: head -c 32 /dev/urandom > FILE")
        }
        return key
    }
}
