public import DubGraph

extension StageSignature {
    /// Whether the stage judges a finished file: what its `verdict` refuses is not handed out.
    public var isGate: Bool { !isOpen && outputs.contains { $0.name == "verdict" } }
}
