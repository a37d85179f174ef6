public import DubCore

/// What is asked of a file, as far as one place says: a folder, a rule of it, a row of a manifest.
public struct FileOrder: Hashable, Sendable {
    /// A pipeline by name, or the absolute path of its file.
    public var pipeline: String?
    /// A profile of the pipeline.
    public var profile: String?
    /// Values for the pipeline's parameters.
    public var parameters: [String: JSONValue] = [:]
    /// Values for parameters that the pipeline may have or not; `parameters` and a profile win over them.
    public var defaults: [String: JSONValue] = [:]
    /// Absolute paths.
    public var cast: String?
    /// See `cast`.
    public var gate: String?
    /// See `cast`.
    public var script: String?
    /// The folder for what is made, absolute.
    public var out: String?
    /// Greater goes first.
    public var priority: Int?
    /// Where what is made is published.
    public var publish: PublishOrder?

    /// Asks for nothing.
    public init() {}

    /// This, and what `base` says beside it.
    public func over(_ base: FileOrder) -> FileOrder {
        var order = self
        order.pipeline = pipeline ?? base.pipeline
        // A profile is of one pipeline.
        order.profile = profile ?? (pipeline == nil || pipeline == base.pipeline ? base.profile : nil)
        order.parameters = base.parameters.merging(parameters) { $1 }
        order.defaults = base.defaults.merging(defaults) { $1 }
        order.cast = cast ?? base.cast
        order.gate = gate ?? base.gate
        order.script = script ?? base.script
        order.out = out ?? base.out
        order.priority = priority ?? base.priority
        order.publish = publish ?? base.publish
        return order
    }
}
