internal import DubCore
internal import DubPublish
internal import DubRunner
internal import DubStorage
internal import Foundation

/// Where a run's outputs lie on their way into a bucket that is named with `--out`.
enum Staging {
    /// The folder in the store, one for each place.
    static func folder(of out: String, in store: FileStore) -> String {
        "\(store.root)/delivered/\(Digest.of((try? DestinationAddress(out))?.text ?? out).short)"
    }

    /// An item as it is told: what is in the bucket by its address there. Large files that are there are removed here;
    /// the store holds them still.
    static func told(_ record: ItemRecord, _ publication: Publication?, in store: FileStore) -> ItemRecord {
        guard let publication, publication.state == .done,
            let bucket = (try? DestinationAddress(publication.order.to))?.bucket
        else { return record }
        var told = record
        for index in told.outputs.indices {
            let output = told.outputs[index]
            guard output.path.hasPrefix("\(store.root)/delivered/"),
                let file = publication.files.first(where: { $0.sha256 == output.sha256 && $0.kind == output.kind })
            else { continue }
            told.outputs[index].path = "s3://\(bucket)/\(file.key)"
            let artifact = Artifact(
                digest: file.sha256, size: file.size, type: (output.path as NSString).pathExtension)
            if file.size > 1 << 20, store.holds(artifact) { unlink(output.path) }
        }
        return told
    }
}
